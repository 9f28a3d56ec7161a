"""One suite, both databases: what processes counted is added up."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from app.stores.aftermath import Aftermath
from app.stores.engines import outcomes_engine_of
from app.stores.measures import AT_ONCE, HOUR_S, MINUTE_S, Measure

START = 1_800_000_000 // HOUR_S * HOUR_S


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def new_aftermath(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Aftermath]:
    """Open one database of each kind, again and again."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'journal.db'}"
    else:
        new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        url = new_url()
    return lambda: Aftermath(outcomes_engine_of(url))


def measure(number: int, *, side: str = "new", route: str = "rag", start: int = START, span: int = MINUTE_S) -> Measure:
    return Measure(span, start, route, side, "", -1, f"{number}")


def added(one: str, other: str) -> str:
    return f"{int(one) + int(other)}"


async def test_measures_of_the_same_are_merged_over_restarts(new_aftermath: Callable[[], Aftermath]) -> None:
    async with new_aftermath() as aftermath:
        await aftermath.add_measures([measure(1), measure(10, side="legacy")], added)
        await aftermath.add_measures([measure(2), measure(5, start=START + 60)], added)
    async with new_aftermath() as aftermath:
        await aftermath.add_measures([measure(4), measure(100, route="persona"), measure(7, span=HOUR_S)], added)
        found = await aftermath.measures("rag", START, MINUTE_S)
        assert [*found] == [measure(10, side="legacy"), measure(7), measure(5, start=START + 60)]
        assert [*await aftermath.measures("rag", START + 1, MINUTE_S)] == [measure(5, start=START + 60)]
        assert [*await aftermath.measures(None, START, HOUR_S)] == [measure(7, span=HOUR_S)]
        assert len(await aftermath.measures(None, START, MINUTE_S)) == 4


async def test_a_rollout_and_its_steps_are_counted_apart(new_aftermath: Callable[[], Aftermath]) -> None:
    async with new_aftermath() as aftermath:
        those = [measure(1), measure(2)._replace(rollout="rag-1", step=0), measure(4)._replace(rollout="rag-1", step=1)]
        await aftermath.add_measures(those, added)
        await aftermath.add_measures(those, added)
        assert [each.body for each in await aftermath.measures("rag", 0, MINUTE_S)] == ["2", "4", "8"]


async def test_processes_that_count_at_once_lose_nothing(new_aftermath: Callable[[], Aftermath]) -> None:
    places = [measure(1, side=f"s{number:03}") for number in range(AT_ONCE + 5)]
    async with new_aftermath() as one, new_aftermath() as other:

        async def add(aftermath: Aftermath) -> None:
            for _ in range(4):
                await aftermath.add_measures(places[::-1] if aftermath is one else places, added)

        await asyncio.gather(add(one), add(other), add(one))
        assert {each.body for each in await one.measures(None, 0, MINUTE_S)} == {"12"}


async def test_old_measures_are_forgotten_in_steps(new_aftermath: Callable[[], Aftermath]) -> None:
    async with new_aftermath() as aftermath:
        minutes = [measure(1, start=START + MINUTE_S * number) for number in range(5)]
        await aftermath.add_measures([*minutes, measure(1, span=HOUR_S)], added)
        assert [await aftermath.prune_measures(START + 4 * MINUTE_S, 3) for _ in range(3)] == [4, 1, 0]
        assert [*await aftermath.measures(None, 0, MINUTE_S)] == [minutes[-1]]
        assert [*await aftermath.measures(None, 0, HOUR_S)] == []
