import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.stores.records import Action, Collection, Entry, StaleError, Store, StoreUnavailableError
from tests.app.stores.changes import NOW, change
from tests.app.stores.conftest import Place

FLAG = Collection.FLAG
WRITERS = 20


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


@pytest.mark.parametrize(
    "body", ["{}", "1.0", '{"a":1.0,"b":[ ]}', " 1e2 ", '"ключ 🔑 \\u0000"', "null", "x" * 1_000_000]
)
async def test_a_body_comes_back_byte_for_byte(place: Place, body: str) -> None:
    async with place() as store:
        await store.write([change("ключ", 0, body)])
    async with place() as store:
        (document,) = (await store.load()).documents
        written = await store.version(FLAG, "ключ", 1)
    assert document.body == body
    assert written is not None
    assert written.body == body


async def test_times_come_back_in_utc_to_the_microsecond(store: Store) -> None:
    there = datetime(2026, 1, 1, 2, 0, 0, 7, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    (entry,) = await store.write([replace(change("a", 0), at=there)])
    (document,) = (await store.load()).documents
    assert entry.at == document.updated_at == there
    assert entry.at.tzinfo is document.updated_at.tzinfo is UTC


async def test_of_many_writers_that_stand_on_one_version_exactly_one_wins(store: Store) -> None:
    await store.write([change("a", 0)])
    wishes = [store.write([change("a", 1, f'{{"writer": {n}}}')]) for n in range(WRITERS)]
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    (won,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert [answer.actual for answer in answers if isinstance(answer, StaleError)] == [2] * (WRITERS - 1)
    (document,) = (await store.load()).documents
    assert (document.version, document.body) == (2, won[0].body)


async def test_many_writers_leave_no_gap_between_revisions(store: Store) -> None:
    answers = await asyncio.gather(*(store.write([change(f"{n}", 0), change(f"{n}", 1)]) for n in range(WRITERS)))
    revisions = [[entry.revision for entry in entries] for entries in answers]
    assert sorted(revision for pair in revisions for revision in pair if revision) == list(range(1, 2 * WRITERS + 1))
    assert all(second == first + 1 for first, second in revisions if first and second)
    assert (await store.load()).revision == 2 * WRITERS


async def test_a_document_made_again_continues_its_versions(store: Store) -> None:
    await store.write([change("a", 0), change("a", 1, None)])
    (again,) = await store.write([change("a", 0)])
    assert (again.version, again.action) == (3, Action.CREATE)


async def test_one_stale_change_undoes_its_whole_batch(store: Store) -> None:
    await store.write([change("a", 0)])
    before, lines = await store.load(), await store.journal()
    with pytest.raises(StaleError) as stale:
        await store.write([change("b", 0), change("a", 1, None), change("a", 1)])
    assert stale.value.actual == 0
    assert (await store.load(), await store.journal()) == (before, lines)


@pytest.mark.parametrize("expected", [0, 1, 7])
async def test_deleting_what_is_not_there_is_stale(store: Store, expected: int) -> None:
    with pytest.raises(StaleError) as stale:
        await store.write([change("a", expected, None)])
    assert stale.value.actual == 0
    assert (await store.load()).revision == 0


async def test_one_key_in_two_collections_is_two_documents(store: Store) -> None:
    await store.write([change("a", 0, "1"), change("a", 0, "2", Collection.ROUTE)])
    await store.write([change("a", 1, None)])
    assert [(document.collection, document.body) for document in (await store.load()).documents] == [("route", "2")]


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
    entries = await store.write([change("a", 0, "1"), change("a", 1, "2"), change("a", 2, None)])
    assert [await store.version(FLAG, "a", n) for n in (1, 2, 3)] == entries
    assert [await store.version(FLAG, "a", n) for n in (0, 4, -1)] == [None] * 3
    assert await store.version(FLAG, "b", 1) is None
    assert await store.version(Collection.ROUTE, "a", 1) is None


async def test_what_is_loaded_is_the_state_at_one_moment(store: Store) -> None:
    async def write_pairs() -> None:
        for n in range(WRITERS):
            await store.write([change("left", n, f"{n}"), change("right", n, f"{n}")])

    writing = asyncio.create_task(write_pairs())
    while not writing.done():
        state = await store.load()
        assert [document.body for document in state.documents] == [f"{state.revision // 2 - 1}"] * len(state.documents)
        assert len(state.documents) == (2 if state.revision else 0)
    await writing


async def test_a_cancelled_write_is_whole_or_nothing_and_holds_no_other_up(store: Store) -> None:
    for moment in range(0, 400, 8):
        version = (await store.load()).revision // 2
        writing = asyncio.create_task(store.write([change("left", version), change("right", version)]))
        for _ in range(moment):
            await asyncio.sleep(0)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await store.write([])
        state = await store.load()
        assert {document.version for document in state.documents} <= {state.revision // 2}
    assert len(await store.journal(limit=1000)) == state.revision


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
