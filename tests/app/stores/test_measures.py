import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.stores.engines import engine_of
from app.stores.measures import DAY_S, HOUR_S, KEPT_S, MINUTE_S, Measured, Measures
from tests.app.stores.changes import NOW

HOUR = int(NOW.timestamp()) // HOUR_S * HOUR_S


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def new_measures(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Measures]:
    """Open one database of each kind, again and again."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'outcomes.db'}"
    else:
        new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        url = new_url()
    return lambda: Measures(engine_of(url))


def measured(body: str, start: int = HOUR, route: str = "rag", span: int = HOUR_S, step: int = -1) -> Measured:
    return Measured(span, start, route, "new", "" if step < 0 else "rag-v2", step, body)


def added(one: str, other: str) -> str:
    return str(int(one) + int(other))


async def test_rows_are_merged_into_those_of_the_same_side_and_time(new_measures: Callable[[], Measures]) -> None:
    async with new_measures() as measures:
        await measures.add_measures([measured("1"), measured("2", step=0), measured("3", route="other")], added)
        await measures.add_measures([measured("10"), measured("20", step=0), measured("5", step=1)], added)
        found = await measures.measures("rag", 0, HOUR_S)
        assert {(each.step, each.body) for each in found} == {(-1, "11"), (0, "22"), (1, "5")}


async def test_one_side_may_be_twice_among_the_rows(new_measures: Callable[[], Measures]) -> None:
    async with new_measures() as measures:
        await measures.add_measures([measured("1"), measured("2"), measured("4")], added)
        await measures.add_measures([measured("8"), measured("16")], added)
        assert [each.body for each in await measures.measures(None, 0, HOUR_S)] == ["31"]


async def test_rows_are_found_by_route_time_and_span_the_oldest_first(new_measures: Callable[[], Measures]) -> None:
    async with new_measures() as measures:
        rows = [measured("2", HOUR), measured("1", HOUR - HOUR_S), measured("3", HOUR, span=MINUTE_S)]
        await measures.add_measures([*rows, measured("4", HOUR, "other")], added)
        assert [each.body for each in await measures.measures("rag", 0, HOUR_S)] == ["1", "2"]
        assert [each.body for each in await measures.measures("rag", HOUR, HOUR_S)] == ["2"]
        assert await measures.measures("rag", HOUR + 1, HOUR_S) == []
        assert [each.body for each in await measures.measures(None, HOUR, MINUTE_S)] == ["3"]
        assert {each.route for each in await measures.measures(None, HOUR, HOUR_S)} == {"rag", "other"}
        assert await measures.measures("gone", 0, HOUR_S) == []


async def test_nothing_is_added_without_rows(new_measures: Callable[[], Measures]) -> None:
    async with new_measures() as measures:
        await measures.add_measures([], added)
        assert await measures.measures(None, 0, HOUR_S) == []


async def test_processes_that_merge_at_once_lose_nothing(new_measures: Callable[[], Measures]) -> None:
    routes = [f"route-{number}" for number in range(10)]

    async def work(measures: Measures, names: list[str]) -> None:
        for _ in range(5):
            await measures.add_measures([measured("1", route=name) for name in names], added)

    async with new_measures() as one, new_measures() as other:
        await asyncio.gather(work(one, routes), work(other, routes[::-1]))
        assert {each.body for each in await one.measures(None, 0, HOUR_S)} == {"10"}


async def test_what_is_older_than_90_days_goes(new_measures: Callable[[], Measures]) -> None:
    async with new_measures() as measures:
        await measures.add_measures([measured("1", HOUR - KEPT_S - DAY_S), measured("2", HOUR - KEPT_S + DAY_S)], added)
        await measures.forget_measures(NOW + timedelta(seconds=1))
        assert [each.body for each in await measures.measures(None, 0, HOUR_S)] == ["2"]
