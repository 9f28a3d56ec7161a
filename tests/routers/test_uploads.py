"""The time limit of a backend that takes an upload: it stands still while the caller is waited for."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.call import Upload
from routers.patience import TICK_S, Within
from tests.virtual_time import run_virtually


class Slow:
    """An upload that waits for its caller as it is told: from when until when, in seconds from its start."""

    length = None

    def __init__(self, waits: list[tuple[float, float]]) -> None:
        self._waits = waits
        self._began = asyncio.get_running_loop().time()

    def pieces(self) -> AsyncIterator[bytes]:
        raise NotImplementedError

    def whole(self, most: int) -> bytes | None:
        raise NotImplementedError

    def waited_s(self) -> float:
        now = asyncio.get_running_loop().time() - self._began
        return sum(min(now, end) - start for start, end in self._waits if start < now)


async def seconds_until_late(limit_s: float, waits: list[tuple[float, float]]) -> float:
    loop = asyncio.get_running_loop()
    upload: Upload = Slow(waits)
    began = loop.time()
    with pytest.raises(TimeoutError):
        async with Within(limit_s, upload):
            await asyncio.sleep(10_000)
    return loop.time() - began


@given(
    limit_s=st.floats(0.05, 20),
    times=st.lists(st.floats(0.001, 10), max_size=12).map(lambda steps: steps[: len(steps) // 2 * 2]),
)
def test_a_backend_has_its_time_besides_what_the_caller_takes(limit_s: float, times: list[float]) -> None:
    waits, at, own = [], 0.0, 0.0
    for backends, callers in zip(times[::2], times[1::2], strict=True):
        at += backends
        own += backends
        if own < limit_s:
            waits.append((at, at + callers))
        at += callers
    expected = limit_s + sum(end - start for start, end in waits)
    taken = run_virtually(seconds_until_late(limit_s, waits))
    assert expected - 1e-6 <= taken <= expected + 2 * TICK_S + 1e-6


def test_whoever_is_in_time_is_left_alone() -> None:
    async def scenario() -> None:
        async with Within(1, Slow([(0.5, 100.0)])):
            await asyncio.sleep(100.4)
        await asyncio.sleep(10)

    run_virtually(scenario())


def test_whoever_else_cancels_is_obeyed() -> None:
    async def scenario() -> None:
        async with Within(5, Slow([])):
            await asyncio.sleep(100)

    async def cancelled() -> None:
        task = asyncio.ensure_future(scenario())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(cancelled())
