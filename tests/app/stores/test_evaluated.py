"""When flags were evaluated last, of all processes, in both databases."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from app.stores.engines import engine_of
from app.stores.evaluated import NOBODY, Evaluated, LastEvaluated


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def new_evaluated(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Evaluated]:
    """Open one database of each kind, again and again."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'outcomes.db'}"
    else:
        new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        url = new_url()
    return lambda: Evaluated(engine_of(url))


async def test_the_later_time_wins_whoever_comes_first(new_evaluated: Callable[[], Evaluated]) -> None:
    async with new_evaluated() as kept:
        await kept.add_evaluated([LastEvaluated("a", "on", 100), LastEvaluated("a", "off", 50)])
        await kept.add_evaluated([LastEvaluated("a", "on", 90), LastEvaluated("b", "on", 7)])
        await kept.add_evaluated([LastEvaluated("a", "off", 60)])
        await kept.add_evaluated([])
    async with new_evaluated() as kept:
        assert await kept.evaluated("a") == [("a", "off", 60), ("a", "on", 100)]
        assert await kept.evaluated() == [("a", "off", 60), ("a", "on", 100), ("b", "on", 7)]
        await kept.forget_evaluated("a")
        assert await kept.evaluated() == [("b", "on", 7)]


async def test_many_are_kept_by_many_at_once(new_evaluated: Callable[[], Evaluated]) -> None:
    rows = [LastEvaluated(f"flag-{number}", "on", number) for number in range(1, 1201)]
    async with new_evaluated() as one, new_evaluated() as other:
        writes = (one.add_evaluated(rows), other.add_evaluated(rows[::-1]), other.add_evaluated(rows[:5]))
        async with asyncio.timeout(30):
            await asyncio.gather(*writes)
        assert await one.evaluated() == sorted(rows)


async def test_since_when_evaluations_are_noted_is_known_once_and_for_all(
    new_evaluated: Callable[[], Evaluated],
) -> None:
    async with new_evaluated() as kept:
        assert await kept.noted_since() is None
        await kept.note_evaluations_since(100)
        await kept.note_evaluations_since(200)
        assert await kept.noted_since() == 100
        assert await kept.evaluated() == [(*NOBODY, 100)]


async def test_of_those_who_would_tell_that_a_flag_is_stale_one_does(new_evaluated: Callable[[], Evaluated]) -> None:
    async with new_evaluated() as one, new_evaluated() as other:
        claims = await asyncio.gather(*(each.claim_stale("a", 5) for each in (one, other) * 4))
        assert sorted(claims) == [False] * 7 + [True]
        assert await one.told_stale() == {"a": 5}
        await other.forget_stale("a")
        assert await one.claim_stale("a", 9)
