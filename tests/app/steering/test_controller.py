"""Rollouts that steer themselves over a real service: traffic is carried, rows are kept, and only the clock is ours."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.app.steering.driven import NEW, Driven, driven, failing


@pytest.fixture
async def rag(tmp_path: Path) -> AsyncIterator[Driven]:
    """Run a service with the route `rag`."""
    async with driven(tmp_path) as each:
        yield each


async def test_a_rollout_goes_to_the_end_by_itself_on_live_traffic(rag: Driven) -> None:
    await rag.start()
    shares = []
    for _ in range(3):
        shares.append(await rag.share())
        await rag.calls(200)
        await rag.wait(8)
    assert shares == [10, 50, 100]
    await rag.wait(8)
    assert await rag.state() == ("completed", 2)
    assert await rag.share() == 100
