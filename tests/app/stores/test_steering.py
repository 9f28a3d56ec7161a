"""One suite, both databases: what rollouts are steered by."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy.util import await_only, greenlet_spawn

from app.stores import steering
from app.stores.aftermath import Aftermath
from app.stores.engines import outcomes_engine_of
from app.stores.outcomes import OutcomeRow, _keep
from app.stores.records import StoreUnavailableError
from app.stores.steering import Kept
from tests.app.stores.changes import NOW

AT = NOW.isoformat(timespec="microseconds")
PATIENCE_S = 20.0


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def new_aftermath(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Aftermath]:
    """Open one database of each kind, again and again."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'journal.db'}"
    else:
        new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        url = new_url()
    return lambda: Aftermath(outcomes_engine_of(url))


@pytest.fixture
async def aftermath(new_aftermath: Callable[[], Aftermath]) -> AsyncIterator[Aftermath]:
    async with new_aftermath() as opened:
        yield opened


def row(number: int, rollout: str | None = "rag-1") -> OutcomeRow:
    return OutcomeRow(f"o{number:05}", "rag", "new", "call", AT, AT, f"{number}", rollout)


async def read_through(aftermath: Aftermath, *, after: int = 0, limit: int = 3) -> list[str]:
    bodies: list[str] = []
    while True:
        lines, up_to = await aftermath.outcome_lines("rag-1", after, limit)
        assert [line.seq for line in lines] == sorted({line.seq for line in lines})
        assert all(after < line.seq <= up_to for line in lines)
        bodies += [line.body for line in lines]
        if up_to == after:
            return bodies
        after = up_to


async def test_outcomes_of_a_rollout_are_read_in_order_page_by_page(aftermath: Aftermath) -> None:
    await aftermath.append([row(1), row(2, None), row(3), row(4, "persona-1"), *map(row, range(5, 12))])
    assert await read_through(aftermath) == ["1", "3", "5", "6", "7", "8", "9", "10", "11"]
    assert await read_through(aftermath, limit=1000) == ["1", "3", "5", "6", "7", "8", "9", "10", "11"]


async def test_what_is_read_goes_on_behind_outcomes_of_others(aftermath: Aftermath) -> None:
    await aftermath.append([row(number, None) for number in range(10)])
    lines, up_to = await aftermath.outcome_lines("rag-1", 0, 5)
    assert (lines, up_to) == ([], 10)
    assert await aftermath.outcome_lines("rag-1", 25, 5) == ([], 25)


async def test_a_reader_never_passes_writers_by(new_aftermath: Callable[[], Aftermath], aftermath: Aftermath) -> None:
    async def write(each: Aftermath, first: int) -> None:
        for start in range(first, first + 40, 4):
            await each.append([row(number) for number in range(start, start + 4)])

    async with new_aftermath() as one, new_aftermath() as other:
        writing = asyncio.gather(write(one, 1000), write(other, 2000), write(aftermath, 3000))
        seen: list[str] = []
        after, is_over = 0, False
        while not is_over:
            is_over = writing.done()
            lines, after = await aftermath.outcome_lines("rag-1", after, 7)
            seen += [line.body for line in lines]
            is_over = is_over and not lines
        await writing
    expected = [f"{number}" for first in (1000, 2000, 3000) for number in range(first, first + 40)]
    assert sorted(seen) == expected


@pytest.mark.xdist_group("postgres")
async def test_behind_a_writer_that_hangs_a_reader_gives_up_and_skips_nothing(
    new_postgres_url: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "FENCE_MS", 50)
    url = new_postgres_url()
    is_held, may_end = asyncio.Event(), asyncio.Event()

    class Hanging(Aftermath):
        async def hang(self) -> None:
            """Write an outcome and commit only when told."""
            engine = await self._ready()

            def work() -> None:
                with engine.execution_options(writing=True).begin() as connection:
                    _keep(connection, [row(1)])
                    is_held.set()
                    await_only(may_end.wait())

            await greenlet_spawn(work)

    async with Hanging(outcomes_engine_of(url)) as slow, Aftermath(outcomes_engine_of(url)) as other:
        hanging = asyncio.create_task(slow.hang())
        await is_held.wait()
        await other.append([row(2)])
        with pytest.raises(StoreUnavailableError):
            await other.outcome_lines("rag-1", 0, 10)
        may_end.set()
        await hanging
        lines, _ = await other.outcome_lines("rag-1", 0, 10)
        assert [line.body for line in lines] == ["1", "2"]


async def test_statistics_are_kept_with_their_first_events_once(aftermath: Aftermath) -> None:
    assert await aftermath.statistics("rag-1") is None
    assert await aftermath.keep_statistics("rag-1", None, 5, "five", [("u1", "errors"), ("u2", "errors")])
    assert await aftermath.keep_statistics("rag-1", 5, 9, "nine", [("u1", "p95")])
    assert await aftermath.statistics("rag-1") == Kept(9, "nine")
    assert await aftermath.statistics("rag-2") is None
    assert await aftermath.first_events("rag-1", ["u1", "u3"]) == {("u1", "errors"), ("u1", "p95")}
    assert await aftermath.first_events("rag-2", ["u1"]) == set()
    assert await aftermath.first_events("rag-1", []) == set()


@pytest.mark.parametrize("before", [None, 4])
async def test_of_two_leaders_the_faster_one_keeps_statistics_and_the_other_nothing(
    aftermath: Aftermath, before: int | None
) -> None:
    await aftermath.keep_statistics("rag-1", None, 5, "five", [])
    assert not await aftermath.keep_statistics("rag-1", before, 6, "six", [("u1", "errors")])
    assert await aftermath.statistics("rag-1") == Kept(5, "five")
    assert await aftermath.first_events("rag-1", ["u1"]) == set()


async def test_two_leaders_at_once_keep_one_of_theirs(
    new_aftermath: Callable[[], Aftermath], aftermath: Aftermath
) -> None:
    async with new_aftermath() as other:
        for seq in range(10):
            before = None if seq == 0 else seq - 1
            both = [each.keep_statistics("rag-1", before, seq, "{}", [(f"u{seq}", "e")]) for each in (aftermath, other)]
            assert sorted(await asyncio.gather(*both)) == [False, True]


async def test_first_events_of_many_units_are_found(aftermath: Aftermath) -> None:
    units = [f"u{number}" for number in range(2 * steering.AT_ONCE + 1)]
    await aftermath.keep_statistics("rag-1", None, 1, "{}", [(unit, "e") for unit in units])
    assert await aftermath.first_events("rag-1", units) == {(unit, "e") for unit in units}


async def test_evaluations_are_read_newest_first(aftermath: Aftermath) -> None:
    numbers = [await aftermath.add_evaluation("rag-1", NOW, f"{number}") for number in range(5)]
    await aftermath.add_evaluation("rag-2", NOW, "other")
    assert [each.body for each in await aftermath.evaluations("rag-1", limit=2)] == ["4", "3"]
    found = await aftermath.evaluations("rag-1", before=numbers[3])
    assert [(each.seq, each.at, each.body) for each in found] == [(numbers[n], NOW, f"{n}") for n in (2, 1, 0)]


async def test_the_last_evaluations_of_a_rollout_stay(aftermath: Aftermath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steering, "EVALUATIONS_KEPT", 3)
    for number in range(8):
        await aftermath.add_evaluation("rag-1", NOW, f"{number}")
        await aftermath.add_evaluation("rag-2", NOW, f"{number}")
    assert [await aftermath.prune_evaluations("rag-1", 4) for _ in range(3)] == [4, 1, 0]
    assert [each.body for each in await aftermath.evaluations("rag-1")] == ["7", "6", "5"]
    assert len(await aftermath.evaluations("rag-2")) == 8


async def test_first_events_of_ended_rollouts_go_and_no_others(aftermath: Aftermath) -> None:
    for rollout in ("rag-1", "rag-2", "rag-3"):
        await aftermath.keep_statistics(rollout, None, 1, "{}", [("u1", "e"), ("u2", "e")])
    assert [await aftermath.prune_first_events(["rag-1", "rag-2"], 3) for _ in range(3)] == [3, 1, 0]
    assert await aftermath.prune_first_events([], 3) == 0
    assert await aftermath.first_events("rag-2", ["u1", "u2"]) == set()
    assert await aftermath.first_events("rag-3", ["u1", "u2"]) == {("u1", "e"), ("u2", "e")}


async def test_a_lease_has_one_holder_who_may_renew_it(aftermath: Aftermath) -> None:
    assert await aftermath.hold("steering", "a", 60)
    assert await aftermath.hold("steering", "a", 60)
    assert not await aftermath.hold("steering", "b", 60)
    assert await aftermath.hold("other", "b", 60)


async def test_a_lease_that_is_let_go_or_over_is_the_next_one_s(aftermath: Aftermath) -> None:
    await aftermath.hold("steering", "a", 60)
    await aftermath.let_go("steering", "b")
    assert not await aftermath.hold("steering", "b", 60)
    await aftermath.let_go("steering", "a")
    assert await aftermath.hold("steering", "b", 0.001)
    async with asyncio.timeout(PATIENCE_S):
        while not await aftermath.hold("steering", "a", 60):
            await asyncio.sleep(0.01)


async def test_of_many_who_ask_at_once_one_gets_the_lease(
    new_aftermath: Callable[[], Aftermath], aftermath: Aftermath
) -> None:
    async with new_aftermath() as other:
        asked = [each.hold("steering", f"{number}", 60) for number, each in enumerate([aftermath, other] * 5)]
        assert sum(await asyncio.gather(*asked)) == 1
