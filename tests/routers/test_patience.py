"""A time limit that takes no delay of its own event loop for somebody else's."""

import asyncio
import time
from collections.abc import Callable

import pytest
import uvloop

from routers.patience import Within
from tests.virtual_time import run_virtually


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_came_while_the_loop_was_held_up_came_in_time(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> bytes:
        server = await asyncio.start_server(_greet, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            writer.write(b"?")
            await reader.readexactly(1)
            async with Within(0.05):
                reading = asyncio.ensure_future(reader.readexactly(5))
                await asyncio.sleep(0)
                time.sleep(0.2)  # noqa: ASYNC251 - it is to hold the loop up
                told = await reading
            writer.close()
            return told

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(scenario()) == b"hello"


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(1)
    writer.write(b"!hello")
    writer.close()


def test_a_loop_that_is_in_time_gives_up_on_the_second() -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            async with Within(0.8):
                await asyncio.sleep(10)
        return loop.time() - began

    assert run_virtually(scenario()) == pytest.approx(0.8)


def test_a_cancellation_from_outside_stays_one() -> None:
    async def wait() -> None:
        async with Within(0.8):
            await asyncio.sleep(10)

    async def scenario() -> bool:
        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0.1)
        waiting.cancel()
        await asyncio.wait([waiting])
        return waiting.cancelled()

    assert run_virtually(scenario())


def test_nothing_is_left_of_a_limit_that_was_kept() -> None:
    async def scenario() -> None:
        async with Within(0.8):
            await asyncio.sleep(0.1)
        await asyncio.sleep(10)

    run_virtually(scenario())


def test_of_two_limits_the_shorter_one_counts() -> None:
    async def scenario() -> str:
        try:
            async with Within(0.8):
                try:
                    async with Within(5):
                        await asyncio.sleep(10)
                except TimeoutError:
                    return "the inner one"
        except TimeoutError:
            return "the outer one"
        return "none"

    assert run_virtually(scenario()) == "the outer one"
