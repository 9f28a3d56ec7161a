"""What a store and the live state do alike with documents."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.stores.records import Action, Collection, Entry, StaleError
from tests.app.stores.changes import NOW, change
from tests.app.stores.conftest import Keeper, KeeperPlace, state_of

WRITERS = 20
SCHEDULED = '{"key":"x","schedule":[{"at":"2027-01-15T11:00:00.250000+01:00","percentage":25.0}]}'


async def test_a_new_place_is_at_revision_zero_of_an_epoch_of_its_own(
    new_keeper_place: Callable[[], KeeperPlace],
) -> None:
    async with new_keeper_place()() as one, new_keeper_place()() as other:
        state = await state_of(one)
        assert (state.revision, state.documents) == (0, ())
        assert state.epoch != (await state_of(other)).epoch


async def test_a_write_answers_with_what_it_did(keeper: Keeper) -> None:
    entries = await keeper.write([change("a", 0), change("a", 1, '{"n": 1}'), change("a", 2, None)])
    epoch = (await state_of(keeper)).epoch
    actions = [Action.CREATE, Action.UPDATE, Action.DELETE]
    bodies = ["{}", '{"n": 1}', None]
    assert [replace(entry, seq=0) for entry in entries] == [
        Entry(0, epoch, n, NOW, "mina", action, "flag", "a", n, body, "because")
        for n, action, body in zip((1, 2, 3), actions, bodies, strict=True)
    ]


async def test_opening_again_finds_the_same_documents(keeper_place: KeeperPlace) -> None:
    async with keeper_place() as keeper:
        await keeper.write([change("a", 0), change("b", 0), change("a", 1, None)])
        before = await state_of(keeper)
    async with keeper_place() as keeper:
        assert await state_of(keeper) == before


async def test_writing_nothing_changes_nothing(keeper: Keeper) -> None:
    before = await state_of(keeper)
    assert list(await keeper.write([])) == []
    assert await state_of(keeper) == before


@pytest.mark.parametrize(
    "body", ["{}", "1.0", '{"a":1.0,"b":[ ]}', " 1e2 ", '"ключ 🔑 \\u0000"', "null", "x" * 1_000_000, SCHEDULED]
)
async def test_a_body_comes_back_byte_for_byte(keeper_place: KeeperPlace, body: str) -> None:
    async with keeper_place() as keeper:
        await keeper.write([change("ключ", 0, body)])
    async with keeper_place() as keeper:
        (document,) = (await state_of(keeper)).documents
    assert (document.key, document.body) == ("ключ", body)


async def test_times_come_back_in_utc_to_the_microsecond(keeper: Keeper) -> None:
    there = datetime(2026, 1, 1, 2, 0, 0, 7, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    (entry,) = await keeper.write([replace(change("a", 0), at=there)])
    (document,) = (await state_of(keeper)).documents
    assert entry.at == document.updated_at == there
    assert entry.at.tzinfo is document.updated_at.tzinfo is UTC


async def test_of_many_writers_that_stand_on_one_version_exactly_one_wins(keeper: Keeper) -> None:
    await keeper.write([change("a", 0)])
    wishes = [keeper.write([change("a", 1, f'{{"writer": {n}}}')]) for n in range(WRITERS)]
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    (won,) = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert [answer.actual for answer in answers if isinstance(answer, StaleError)] == [2] * (WRITERS - 1)
    (document,) = (await state_of(keeper)).documents
    assert (document.version, document.body) == (2, won[0].body)


async def test_many_writers_leave_no_gap_between_revisions(keeper: Keeper) -> None:
    answers = await asyncio.gather(*(keeper.write([change(f"{n}", 0), change(f"{n}", 1)]) for n in range(WRITERS)))
    revisions = [[entry.revision for entry in entries] for entries in answers]
    assert sorted(revision for pair in revisions for revision in pair if revision) == list(range(1, 2 * WRITERS + 1))
    assert all(second == first + 1 for first, second in revisions if first and second)
    assert (await state_of(keeper)).revision == 2 * WRITERS


async def test_a_document_made_again_continues_its_versions(keeper: Keeper) -> None:
    await keeper.write([change("a", 0), change("a", 1, None)])
    (again,) = await keeper.write([change("a", 0)])
    assert (again.version, again.action) == (3, Action.CREATE)


async def test_one_stale_change_undoes_its_whole_batch(keeper: Keeper) -> None:
    await keeper.write([change("a", 0)])
    before = await state_of(keeper)
    with pytest.raises(StaleError) as stale:
        await keeper.write([change("b", 0), change("a", 1, None), change("a", 1)])
    assert stale.value.actual == 0
    assert await state_of(keeper) == before


@pytest.mark.parametrize("expected", [0, 1, 7])
async def test_deleting_what_is_not_there_is_stale(keeper: Keeper, expected: int) -> None:
    with pytest.raises(StaleError) as stale:
        await keeper.write([change("a", expected, None)])
    assert stale.value.actual == 0
    assert (await state_of(keeper)).revision == 0


async def test_one_key_in_two_collections_is_two_documents(keeper: Keeper) -> None:
    await keeper.write([change("a", 0, "1"), change("a", 0, "2", Collection.ROUTE)])
    await keeper.write([change("a", 1, None)])
    assert [(document.collection, document.body) for document in (await state_of(keeper)).documents] == [("route", "2")]


async def test_what_is_loaded_is_the_state_at_one_moment(keeper: Keeper) -> None:
    async def write_pairs() -> None:
        for n in range(WRITERS):
            await keeper.write([change("left", n, f"{n}"), change("right", n, f"{n}")])

    writing = asyncio.create_task(write_pairs())
    while not writing.done():
        state = await state_of(keeper)
        assert [document.body for document in state.documents] == [f"{state.revision // 2 - 1}"] * len(state.documents)
        assert len(state.documents) == (2 if state.revision else 0)
    await writing


async def test_a_cancelled_write_is_whole_or_nothing_and_holds_no_other_up(keeper: Keeper) -> None:
    for moment in range(0, 400, 8):
        version = (await state_of(keeper)).revision // 2
        writing = asyncio.create_task(keeper.write([change("left", version), change("right", version)]))
        for _ in range(moment):
            await asyncio.sleep(0)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await keeper.write([])
        state = await state_of(keeper)
        assert {document.version for document in state.documents} <= {state.revision // 2}
