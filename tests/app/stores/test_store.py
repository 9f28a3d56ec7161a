import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from app.stores.records import Action, Collection, Entry, StaleError, Store, StoreUnavailableError
from tests.app.stores.changes import NOW, change
from tests.app.stores.conftest import Place

FLAG = Collection.FLAG


async def test_a_new_store_is_empty_at_revision_zero_of_an_epoch_of_its_own(new_place: Callable[[], Place]) -> None:
    async with new_place()() as one, new_place()() as other:
        state = await one.load()
        assert (state.revision, state.documents, await one.journal()) == (0, (), [])
        assert state.epoch != (await other.load()).epoch


async def test_a_write_answers_with_the_lines_that_the_journal_keeps(store: Store) -> None:
    entries = await store.write([change("a", 0), change("a", 1, '{"n": 1}'), change("a", 2, None)])
    epoch = (await store.load()).epoch
    actions = [Action.CREATE, Action.UPDATE, Action.DELETE]
    bodies = ["{}", '{"n": 1}', None]
    assert entries == [
        Entry(n, epoch, n, NOW, "mina", action, "flag", "a", n, body, "because")
        for n, action, body in zip((1, 2, 3), actions, bodies, strict=True)
    ]
    assert list(await store.journal()) == list(reversed(entries))


async def test_what_is_stale_leaves_no_line_in_the_journal(store: Store) -> None:
    await store.write([change("a", 0)])
    with pytest.raises(StaleError):
        await store.write([change("b", 0), change("a", 0)])
    assert [line.key for line in await store.journal()] == ["a"]


@pytest.mark.parametrize("moment", range(0, 400, 40))
async def test_a_cancelled_write_has_all_its_lines_in_the_journal_or_none(store: Store, moment: int) -> None:
    writing = asyncio.create_task(store.write([change("left", 0), change("right", 0)]))
    for _ in range(moment):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    assert len(await store.journal()) == (await store.load()).revision


async def test_pages_of_the_journal_cover_it_once_while_it_grows(store: Store) -> None:
    await store.write([change(f"{n}", 0) for n in range(25)])
    seen: list[Entry] = []
    while page := await store.journal(before=seen[-1].seq if seen else None, limit=10):
        seen += page
        await store.write([change(f"late {len(seen)}", 0)])
    assert [entry.key for entry in seen] == [f"{n}" for n in reversed(range(25))]
    assert [entry.seq for entry in seen] == sorted((entry.seq for entry in seen), reverse=True)


async def test_the_journal_of_one_document_is_its_history(store: Store) -> None:
    await store.write([change("a", 0), change("b", 0), change("a", 0, "1", Collection.ROUTE), change("a", 1, None)])
    assert [entry.version for entry in await store.journal(collection="flag", key="a")] == [2, 1]
    assert [entry.key for entry in await store.journal(collection="flag")] == ["a", "b", "a"]
    assert [entry.version for entry in await store.journal(key="a", limit=1)] == [2]
    assert await store.journal(limit=0) == []


async def test_a_note_stands_in_the_journal_and_changes_nothing_else(store: Store) -> None:
    await store.write([change("a", 0)])
    before = await store.load()
    await store.note(NOW, "breaker", Action.BREAKER_OPEN, "breaker", "rag/new", "12 of 20 calls failed")
    (note,) = await store.journal(limit=1)
    expected = (NOW, "breaker", "breaker_open", "breaker", "rag/new", "12 of 20 calls failed", before.epoch)
    assert (note.at, note.actor, note.action, note.collection, note.key, note.reason, note.epoch) == expected
    assert (note.revision, note.version, note.body) == (None, None, None)
    assert await store.load() == before


async def test_every_version_can_be_looked_up_and_no_other(store: Store) -> None:
    entries = await store.write([change("a", 0, "1.0"), change("a", 1, "2"), change("a", 2, None)])
    assert [await store.version(FLAG, "a", n) for n in (1, 2, 3)] == entries
    assert [entry.body for entry in entries] == ["1.0", "2", None]
    assert [await store.version(FLAG, "a", n) for n in (0, 4, -1)] == [None] * 3
    assert await store.version(FLAG, "b", 1) is None
    assert await store.version(Collection.ROUTE, "a", 1) is None


async def test_closing_waits_for_the_write_that_has_begun(place: Place) -> None:
    async with place() as store:
        writing = asyncio.create_task(store.write([change("a", 0)]))
        await asyncio.sleep(0)
    async with place() as store:
        assert await store.journal() == await writing


async def test_opening_again_finds_the_same_state(place: Place) -> None:
    async with place() as store:
        await store.write([change("a", 0), change("b", 0), change("a", 1, None)])
        before, lines = await store.load(), await store.journal()
    async with place() as store:
        assert (await store.load(), await store.journal()) == (before, lines)


ASKS: list[Callable[[Store], Awaitable[object]]] = [
    lambda store: store.load(),
    lambda store: store.write([change("a", 0)]),
    lambda store: store.note(NOW, "mina", Action.BREAKER_RESET, "breaker", "rag/new", ""),
    lambda store: store.journal(),
    lambda store: store.version(FLAG, "a", 1),
    lambda store: store.check(),
]


@pytest.mark.parametrize("ask", ASKS)
async def test_a_store_that_is_not_open_says_so(place: Place, ask: Callable[[Store], Awaitable[object]]) -> None:
    store = place()
    with pytest.raises(StoreUnavailableError, match="not open"):
        await ask(store)
    async with store:
        await ask(store)
    with pytest.raises(StoreUnavailableError, match="not open"):
        await ask(store)


async def test_versions_of_many_documents_are_read_at_once(store: Store) -> None:
    for expected, body in enumerate(('{"n": 1}', '{"n": 2}', '{"n": 3}')):
        await store.write([change("a", expected, body), change("b", expected, body)])
    await store.write([change("a", 3, None)])
    found = await store.versions(Collection.FLAG, [("a", 2), ("b", 3), ("b", 9), ("c", 1)])
    assert {key: (entry.version, entry.body) for key, entry in found.items()} == {
        "a": (2, '{"n": 2}'),
        "b": (3, '{"n": 3}'),
    }
    assert await store.versions(Collection.FLAG, []) == {}


async def test_a_document_is_made_when_it_was_made_last(store: Store) -> None:
    later = NOW + timedelta(days=1)
    await store.write([change("a", 0), change("b", 0), change("r", 0, collection=Collection.ROUTE)])
    await store.write([change("a", 1, None), replace(change("b", 1), at=later)])
    await store.write([replace(change("a", 0), at=later)])
    assert await store.created(Collection.FLAG, ["a", "b", "r", "x"]) == {"a": later, "b": NOW}
