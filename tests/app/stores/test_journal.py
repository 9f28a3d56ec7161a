import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.stores.engines import engine_of
from app.stores.journal import SqlJournal
from app.stores.records import Action, Collection, Entry, StoreUnavailableError
from app.stores.sql import SqlStore
from tests.app.stores.changes import NOW, change

FLAG, ROUTE = Collection.FLAG, Collection.ROUTE
MANY = 10_000
MANY_S = 10


def line(revision: int, key: str = "a", version: int | None = None, body: str | None = "{}", epoch: str = "e") -> Entry:
    """Make what the live state says of one change; by itself it makes a version of its own."""
    number = revision if version is None else version
    action = Action.UPDATE if body else Action.DELETE
    return Entry(0, epoch, revision, NOW, "mina", action, FLAG, key, number, body, "because")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database of one kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return new_url()


@pytest.fixture
async def journal(url: str) -> AsyncIterator[SqlJournal]:
    """Open a journal on an empty database."""
    async with SqlJournal(engine_of(url)) as opened:
        yield opened


async def test_an_empty_journal_has_no_state(journal: SqlJournal) -> None:
    assert (await journal.latest(), await journal.gone(), await journal.position("e")) == (None, {}, 0)
    assert await journal.append([]) == []


async def test_what_is_appended_is_read_back_in_order(journal: SqlJournal) -> None:
    lines = [line(1, body='{"a":1.0}'), line(2, "b ключ 🔑", 1), line(3, "a", 2, None)]
    assert await journal.append(lines) == []
    found = [replace(entry, seq=0) for entry in await journal.journal()]
    assert found[::-1] == lines
    assert [entry.seq for entry in await journal.journal()] == [3, 2, 1]


async def test_an_entry_is_kept_once_however_often_it_comes(journal: SqlJournal) -> None:
    lines = [line(n) for n in range(1, 8)]
    assert await journal.append(lines[:4]) == []
    assert await journal.append([*lines[2:], *lines[5:]]) == []
    assert [entry.revision for entry in await journal.journal()] == [7, 6, 5, 4, 3, 2, 1]


async def test_appending_at_once_the_same_entries_in_any_order_keeps_each_once(url: str) -> None:
    lines = [line(n) for n in range(1, 201)]
    async with SqlJournal(engine_of(url)) as one, SqlJournal(engine_of(url)) as other:
        orders = [random.Random(n).sample(lines, len(lines)) for n in range(10)]
        await asyncio.gather(*([one, other][n % 2].append(order) for n, order in enumerate(orders)))
        assert await one.position("e") == len(await other.journal(limit=1000)) == 200


async def test_an_entry_in_the_place_of_another_is_given_back_and_the_rest_is_kept(journal: SqlJournal) -> None:
    await journal.append([line(1), line(2)])
    other = line(2, "b", 1)
    assert await journal.append([line(1), other, line(3, "b", 2)]) == [other]
    assert [(entry.revision, entry.key) for entry in await journal.journal()] == [(3, "b"), (2, "a"), (1, "a")]


async def test_a_version_that_two_epochs_gave_stands_there_twice_and_the_newer_is_found(journal: SqlJournal) -> None:
    await journal.append([line(1, version=1, body="1")])
    await journal.append([line(1, version=1, body="2", epoch="f")])
    found = await journal.version(FLAG, "a", 1)
    assert found is not None
    assert (found.body, found.epoch, await journal.position("e"), await journal.position("f")) == ("2", "f", 1, 1)


async def test_ten_thousand_entries_are_quickly_kept_and_read(journal: SqlJournal) -> None:
    lines = [line(n, f"{n % 1000}", n, "x" * 300) for n in range(1, MANY + 1)]
    begun = time.monotonic()
    await journal.append(lines)
    await journal.append(lines)
    state = await journal.latest()
    assert state is not None
    assert (await journal.position("e"), state.revision, len(state.documents)) == (MANY, MANY, 1000)
    assert {document.version for document in state.documents} == set(range(MANY - 999, MANY + 1))
    assert time.monotonic() - begun < MANY_S


async def test_a_missing_revision_is_where_the_position_stays(journal: SqlJournal) -> None:
    await journal.append([line(n) for n in (1, 2, 3, 5, 6, 9)])
    assert [await journal.position("e", after) for after in (0, 2, 3, 4, 6, 9)] == [3, 3, 3, 6, 6, 9]
    await journal.append([line(4)])
    assert await journal.position("e") == 6
    assert await journal.position("of no entry") == 0


async def test_the_latest_state_is_the_newest_version_of_what_is_not_deleted(journal: SqlJournal) -> None:
    lines = [line(1, "b", 1), line(2, "a", 1), line(3, "c", 1), line(4, "a", 2, "2"), line(5, "b", 2, None)]
    await journal.append(random.Random(1).sample(lines, len(lines)))
    state = await journal.latest()
    assert state is not None
    assert (state.epoch, state.revision) == ("e", 5)
    assert [(each.collection, each.key, each.version, each.body) for each in state.documents] == [
        (FLAG, "a", 2, "2"),
        (FLAG, "c", 1, "{}"),
    ]
    assert (state.documents[0].updated_at, state.documents[0].updated_by) == (NOW, "mina")
    assert await journal.gone() == {(FLAG, "b"): 2}


async def test_the_newest_epoch_is_the_one_that_began_last_even_if_its_versions_begin_again(
    journal: SqlJournal,
) -> None:
    await journal.append([line(1, "a", 1), line(2, "a", 2), line(3, "b", 1)])
    await journal.append([line(1, "a", 1, "new", epoch="d")])
    await journal.append([line(4, "a", 3, "carried late")])
    state = await journal.latest()
    assert state is not None
    assert (state.epoch, state.revision) == ("d", 1)
    assert [(each.key, each.body) for each in state.documents] == [("a", "new"), ("b", "{}")]


async def test_a_note_changes_no_state_and_stands_in_the_newest_epoch(journal: SqlJournal) -> None:
    await journal.append([line(1)])
    before = await journal.latest()
    await journal.note(NOW, "breaker", Action.BREAKER_OPEN, "breaker", "rag/new", "12 of 20 calls failed")
    (note,) = await journal.journal(limit=1)
    assert (note.epoch, note.revision, note.version, note.key) == ("e", None, None, "rag/new")
    assert (await journal.latest(), await journal.position("e")) == (before, 1)


async def test_what_a_store_of_one_process_wrote_is_the_memory_of_the_fleet_it_becomes(url: str) -> None:
    async with SqlStore(engine_of(url)) as store:
        await store.write([change("a", 0), change("b", 0, "1", ROUTE), change("a", 1, None)])
        state = await store.load()
    async with SqlJournal(engine_of(url)) as journal:
        assert await journal.latest() == state
        assert await journal.gone() == {(FLAG, "a"): 2}
        assert await journal.position(state.epoch) == state.revision


async def test_entries_are_kept_all_or_none(journal: SqlJournal) -> None:
    broken = replace(line(2), body=7)  # type: ignore[arg-type]  # what no program makes, and a database may refuse
    with pytest.raises((StoreUnavailableError, TypeError)):
        await journal.append([line(1), replace(broken, key=None)])  # type: ignore[arg-type]  # the same
    assert await journal.journal() == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(given_=st.lists(st.lists(st.integers(1, 12), max_size=8), max_size=5), after=st.integers(0, 12))
def test_the_position_is_what_counting_says(
    given_: list[list[int]], after: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def found() -> int:
        async with SqlJournal(engine_of(f"sqlite:///{tmp_path_factory.mktemp('j') / 'journal.db'}")) as journal:
            for revisions in given_:
                await journal.append([line(n) for n in revisions])
            return await journal.position("e", after)

    expected, kept = after, {n for revisions in given_ for n in revisions}
    while expected + 1 in kept:
        expected += 1
    assert asyncio.run(found()) == expected
