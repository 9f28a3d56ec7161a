import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from app.stores.baselines import Baseline, Baselines
from app.stores.engines import engine_of
from tests.app.stores.changes import NOW


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def new_baselines(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Baselines]:
    """Open one database of each kind, again and again."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'outcomes.db'}"
    else:
        new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        url = new_url()
    return lambda: Baselines(engine_of(url))


async def test_a_baseline_is_kept_replaced_and_forgotten(new_baselines: Callable[[], Baselines]) -> None:
    first, second = Baseline("a", NOW, "mina", "{}"), Baseline("a", NOW + timedelta(days=1), "tim", '{"x": 1}')
    async with new_baselines() as baselines:
        assert await baselines.baseline("a") is None
        await baselines.keep_baseline(first)
        assert await baselines.baseline("a") == first
        await baselines.keep_baseline(second)
    async with new_baselines() as baselines:
        assert await baselines.baseline("a") == second
        assert [await baselines.forget_baseline("a"), await baselines.forget_baseline("a")] == [True, False]
        assert await baselines.baselines("", 10) == []


async def test_baselines_are_listed_by_name_page_by_page(new_baselines: Callable[[], Baselines]) -> None:
    async with new_baselines() as baselines:
        for name in ("c", "a", "b"):
            await baselines.keep_baseline(Baseline(name, NOW, "mina", "{}"))
        assert [each.name for each in await baselines.baselines("", 2)] == ["a", "b"]
        assert [each.name for each in await baselines.baselines("b", 2)] == ["c"]


async def test_of_those_who_keep_one_at_once_the_last_wins(new_baselines: Callable[[], Baselines]) -> None:
    async with new_baselines() as one, new_baselines() as other:
        await asyncio.gather(
            *(
                each.keep_baseline(Baseline("a", NOW, "mina", f"{number}"))
                for number, each in enumerate((one, other) * 5)
            )
        )
        assert len(await one.baselines("", 10)) == 1
