import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.stores.comparisons import HOUR_S, KEPT_S, Comparisons, Counted, Example
from app.stores.engines import engine_of
from tests.app.stores.changes import NOW

HOUR = int(NOW.timestamp()) // HOUR_S * HOUR_S


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def new_comparisons(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Comparisons]:
    """Open one database of each kind, again and again."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'journal.db'}"
    else:
        new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        url = new_url()
    return lambda: Comparisons(engine_of(url))


def counted(name: str, number: int, hour: int = HOUR, route: str = "rag") -> Counted:
    return Counted(route, "legacy", "new", hour, name, number)


def example(decision_id: str, millionths: int, *, expires_in_s: int = 60, route: str = "rag") -> Example:
    return Example(route, "legacy", "new", decision_id, NOW, NOW + timedelta(seconds=expires_in_s), millionths, "{}")


async def sums(comparisons: Comparisons, since: int = 0, route: str = "rag") -> dict[str, int]:
    return {each.name: each.number for each in await comparisons.comparison_counts(route, since)}


async def test_counts_are_added_up_over_hours_and_told_apart_by_route(
    new_comparisons: Callable[[], Comparisons],
) -> None:
    async with new_comparisons() as comparisons:
        before = HOUR - HOUR_S
        await comparisons.add_comparisons([counted("a", 1), counted("b", 2), counted("a", 5, before)], [], {}, NOW)
        await comparisons.add_comparisons([counted("a", 10), counted("a", 7, route="other")], [], {}, NOW)
        assert await sums(comparisons) == {"a": 16, "b": 2}
        assert await sums(comparisons, HOUR) == {"a": 11, "b": 2}
        assert await sums(comparisons, HOUR + 1) == {}
        assert await sums(comparisons, route="other") == {"a": 7}


async def test_what_is_older_than_90_days_goes(new_comparisons: Callable[[], Comparisons]) -> None:
    async with new_comparisons() as comparisons:
        await comparisons.add_comparisons([counted("a", 1, HOUR - KEPT_S - HOUR_S), counted("b", 1)], [], {}, NOW)
        await comparisons.forget_comparisons(NOW)
        assert await sums(comparisons) == {"b": 1}


async def test_processes_that_add_at_once_lose_nothing(new_comparisons: Callable[[], Comparisons]) -> None:
    names = [f"n{number}" for number in range(20)]
    async with new_comparisons() as one, new_comparisons() as other:

        async def add(comparisons: Comparisons) -> None:
            for _ in range(5):
                rows = [counted(name, 1) for name in random.sample(names, len(names))]
                await comparisons.add_comparisons(rows, [], {}, NOW)

        await asyncio.gather(add(one), add(other), add(one))
        assert await sums(one) == dict.fromkeys(names, 15)


async def test_the_worst_examples_are_kept_of_each_route_the_newest_of_equal_ones_first(
    new_comparisons: Callable[[], Comparisons],
) -> None:
    async with new_comparisons() as comparisons:
        first = [example("a", 500), example("b", 100), example("c", 900), example("x", 999, route="other")]
        await comparisons.add_comparisons([], first, {"rag": 3, "other": 3}, NOW)
        await comparisons.add_comparisons([], [example("d", 100), example("e", 700)], {"rag": 3}, NOW)
        found = await comparisons.worst_examples("rag", NOW, NOW, 10)
        assert [each.decision_id for each in found] == ["d", "b", "a"]
        assert found[2] == first[0]
        assert [each.decision_id for each in await comparisons.worst_examples("rag", NOW, NOW, 1)] == ["d"]
        assert await comparisons.worst_examples("rag", NOW + timedelta(seconds=1), NOW, 10) == []
        assert len(await comparisons.worst_examples("other", NOW, NOW, 10)) == 1


async def test_an_example_that_has_expired_is_neither_shown_nor_kept(
    new_comparisons: Callable[[], Comparisons],
) -> None:
    later = NOW + timedelta(seconds=30)
    async with new_comparisons() as comparisons:
        both = [example("old", 0, expires_in_s=10), example("new", 500, expires_in_s=100)]
        await comparisons.add_comparisons([], both, {"rag": 1}, NOW)
        assert [each.decision_id for each in await comparisons.worst_examples("rag", NOW, NOW, 10)] == ["old"]
        assert await comparisons.worst_examples("rag", NOW, later, 10) == []
        await comparisons.add_comparisons([], [example("newer", 500, expires_in_s=100)], {"rag": 1}, later)
        assert [each.decision_id for each in await comparisons.worst_examples("rag", NOW, NOW, 10)] == ["newer"]
        await comparisons.forget_comparisons(NOW + timedelta(seconds=200))
        assert await comparisons.worst_examples("rag", NOW, NOW, 10) == []
