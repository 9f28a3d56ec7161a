import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from routers.attempts import Dispatched
from routers.call import SendError
from routers.causes import Cause
from routers.dispatch import dispatch
from routers.lanes import Lane
from routers.streams import close
from tests.routers.scripted import Script, Stage, a_call, a_route, both, lanes_of, only
from tests.virtual_time import run_virtually

LIMITS = {"idle_timeout_ms": 1000, "max_stream_ms": 5000}


@dataclass
class Streaming:
    """A stream under way: its lane, and what was dispatched."""

    lane: Lane
    stage: Stage
    result: Dispatched

    @property
    def recorded(self) -> tuple[int, int, int]:
        """Calls in flight, calls and failures that the breaker was told of."""
        status = self.lane.breaker.status(asyncio.get_running_loop().time())
        return self.lane.in_flight, status.calls, status.failures

    async def read(self) -> bytes:
        """Return everything to the end."""
        assert self.result.answer is not None
        assert self.result.answer.rest is not None
        return self.result.answer.body + b"".join([piece async for piece in self.result.answer.rest])


def stream(script: Script, then: Callable[[Streaming], Awaitable[None]]) -> None:
    """Dispatch a call to a backend that streams, and see what `then` makes of it."""

    async def scenario() -> None:
        route, stage = a_route(**LIMITS), Stage({"new": script})
        lanes, clock = lanes_of(route), asyncio.get_running_loop().time
        result = await dispatch(route, only("new"), a_call(), lanes, stage.send, clock)
        await then(Streaming(lanes["new"], stage, result))

    run_virtually(scenario())


def test_a_stream_is_a_success_at_its_end_and_no_sooner() -> None:
    async def then(streaming: Streaming) -> None:
        assert streaming.recorded == (1, 0, 0)
        assert await streaming.read() == b"first, second, third"
        assert streaming.recorded == (0, 1, 0)

    stream(Script(after_s=0.2, pieces=((0.9, b", second"), (0.9, b", third"))), then)


def test_a_stream_whose_first_byte_came_in_time_may_outlive_the_deadline() -> None:
    async def scenario() -> None:
        route, stage = a_route(deadline_ms=100), Stage({"new": Script(pieces=((5.0, b"!"),))})
        lanes, clock = lanes_of(route), asyncio.get_running_loop().time
        result = await dispatch(route, both(), a_call(), lanes, stage.send, clock)
        assert await Streaming(lanes["new"], stage, result).read() == b"first!"

    run_virtually(scenario())


@pytest.mark.parametrize(
    ("pieces", "cause", "after_s"),
    [
        (((0.5, b"-"), (0.5, Cause.INTERRUPTED)), Cause.INTERRUPTED, 1.0),
        (((0.5, b"-"), (None, b"")), Cause.TIMEOUT, 1.5),
        (tuple((0.8, b"-") for _ in range(99)), Cause.TIMEOUT, 5.0),
    ],
    ids=["breaks", "stands still", "has no end"],
)
def test_a_stream_that_ends_badly_is_a_failure_and_surfaces(
    pieces: tuple[tuple[float | None, bytes | Cause], ...], cause: Cause, after_s: float
) -> None:
    async def then(streaming: Streaming) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        with pytest.raises(SendError) as caught:
            await streaming.read()
        assert caught.value.cause is cause
        assert clock() - began == pytest.approx(after_s)
        assert streaming.recorded == (0, 1, 1)
        assert streaming.stage.streams[0].closed

    stream(Script(pieces=pieces), then)


def test_a_stream_that_the_consumer_closes_counts_neither_way() -> None:
    async def then(streaming: Streaming) -> None:
        assert streaming.result.answer is not None
        await close(streaming.result.answer.rest)
        assert streaming.recorded == (0, 0, 0)
        assert streaming.stage.streams[0].closed

    stream(Script(pieces=((0.1, b"-"),)), then)


def test_a_stream_whose_reader_is_cancelled_counts_neither_way() -> None:
    async def then(streaming: Streaming) -> None:
        reader = asyncio.create_task(streaming.read())
        await asyncio.sleep(0.1)
        reader.cancel()
        await asyncio.wait({reader})
        assert reader.cancelled()
        assert streaming.recorded == (0, 0, 0)
        assert streaming.stage.streams[0].closed

    stream(Script(pieces=((0.5, b"-"),)), then)


def test_a_slow_reader_is_cut_off_but_the_backend_is_not_blamed() -> None:
    async def then(streaming: Streaming) -> None:
        await asyncio.sleep(6)
        with pytest.raises(SendError):
            await streaming.read()
        assert streaming.recorded == (0, 0, 0)
        assert streaming.stage.streams[0].closed

    stream(Script(pieces=((0.1, b"-"),)), then)


def test_a_stream_is_slow_when_its_first_byte_is() -> None:
    async def scenario() -> None:
        route = a_route(new={"breaker": {"slow_call_ms": 300}})
        stage = Stage({"new": Script(after_s=0.2, pieces=((2.0, b"-"),))})
        lanes, clock = lanes_of(route), asyncio.get_running_loop().time
        for first_s in (0.2, 0.4):
            stage.scripts["new"] = Script(after_s=first_s, pieces=((2.0, b"-"),))
            result = await dispatch(route, both(), a_call(), lanes, stage.send, clock)
            await Streaming(lanes["new"], stage, result).read()
        assert lanes["new"].breaker.status(clock()).slow_calls == 1

    run_virtually(scenario())


def test_a_streamed_error_that_is_passed_on_is_still_a_failure() -> None:
    async def then(streaming: Streaming) -> None:
        assert streaming.result.answer is not None
        assert streaming.result.answer.status == 500
        assert await streaming.read() == b"first!"
        assert streaming.recorded == (0, 1, 1)

    stream(Script(status=500, pieces=((0.1, b"!"),)), then)
