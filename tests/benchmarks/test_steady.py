import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from benchmarks.idle import chunk
from benchmarks.report import quantile
from benchmarks.steady import Call, Player
from benchmarks.wire import Answer

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"o") + chunk(b"k") + chunk(b"")
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def playing(serve: Serve, connections: int = 2) -> AsyncIterator[Player]:
    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                await reader.readuntil(b"\r\n\r\n")
                await serve(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with (
        await asyncio.start_server(each, "127.0.0.1", 0) as server,
        Player(server.sockets[0].getsockname(), connections) as player,
    ):
        yield player


async def at_once(writer: asyncio.StreamWriter) -> None:
    writer.write(WHOLE)


def is_ok(answer: Answer) -> bool:
    return (answer.status, answer.body) == (200, b"ok")


CALLS = itertools.repeat(Call(REQUEST, is_ok))


async def test_so_many_calls_are_made_as_the_rate_says_and_no_sooner() -> None:
    async with playing(at_once) as player:
        began = time.perf_counter()
        await player.at_rate(CALLS, per_second=200, seconds=0.25)
        # the last of the 50 is due after 49 intervals
        assert time.perf_counter() - began >= 49 / 200
    assert (len(player.latencies_us), player.wrong, player.broken) == (50, 0, 0)


async def test_a_pause_is_charged_to_every_call_that_was_due_in_it() -> None:
    pauses = iter([0.2])

    async def slow_at_first(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(next(pauses, 0.0))
        writer.write(WHOLE)

    async with playing(slow_at_first, connections=1) as player:
        await player.at_rate(CALLS, per_second=100, seconds=0.2)
    # due every 10 ms, all answered after 200 ms at the soonest: 200, 190, … 10 ms
    for number, latency_us in enumerate(player.latencies_us):
        assert latency_us >= 200_000 - number * 10_000 - 1
    assert len(player.latencies_us) == 20


async def test_streams_are_answers_too() -> None:
    async def in_chunks(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)

    async with playing(in_chunks) as player:
        await player.at_rate(CALLS, per_second=100, seconds=0.05)
    assert (len(player.latencies_us), player.wrong, player.broken) == (5, 0, 0)


async def test_an_answer_that_is_not_right_is_counted_and_the_first_is_kept() -> None:
    async def another(writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE.replace(b"ok", b"no"))

    async with playing(another) as player:
        await player.at_rate(CALLS, per_second=100, seconds=0.05)
    assert player.wrong == 5
    assert player.first_wrong is not None
    assert player.first_wrong.body == b"no"


async def test_a_call_whose_connection_ends_is_broken_and_the_next_has_another() -> None:
    ends = iter([True, False, True, False])

    async def every_other(writer: asyncio.StreamWriter) -> None:
        if next(ends):
            writer.close()
        else:
            writer.write(WHOLE)

    async with playing(every_other, connections=1) as player:
        await player.at_rate(CALLS, per_second=50, seconds=0.08)
    assert (len(player.latencies_us), player.broken) == (2, 2)


async def test_saturation_is_the_rate_at_which_the_answers_come() -> None:
    async def after_10_ms(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(WHOLE)

    async with playing(after_10_ms, connections=4) as player:
        rate = await player.as_answered(CALLS, 0.2)
    # four at a time and 10 ms each: 400 a second at the most
    assert 0 < rate <= 400


@pytest.mark.parametrize(
    ("values", "share", "is_"),
    [([7.0], 0.99, 7.0), ([3.0, 1.0, 2.0, 4.0], 0.5, 3.0), (list(range(1, 101)), 0.99, 100), (range(100), 0.5, 50)],
)
def test_a_quantile_is_one_of_the_values(values: list[float], share: float, is_: float) -> None:
    assert quantile(values, share) == is_
