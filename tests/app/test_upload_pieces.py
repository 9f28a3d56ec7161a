"""An upload by itself: whoever reads it gets the same bytes, and nobody reads further ahead than he may."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.asgi import CallerLeftError, Message
from app.api.leaving import UnlessLeft, until_left
from app.api.uploads import AHEAD_BYTES, Upload
from app.errors import ProblemError
from tests.virtual_time import run_virtually

Pieces = list[tuple[float, bytes]]
"""What a caller sends, each after some seconds."""


class Sender:
    """A caller who sends what he is told to, and then stays."""

    def __init__(self, pieces: Pieces) -> None:
        self.left = list(pieces)

    async def receive(self) -> Message:
        if not self.left:
            await asyncio.Event().wait()
        seconds, piece = self.left[0]
        await asyncio.sleep(seconds)
        self.left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.left)}


def uploaded(sender: Sender, first: bytes = b"", length: int | None = None, seconds: float = 1e6) -> Upload:
    clock = asyncio.get_running_loop().time
    return Upload(sender.receive, first, length, limit=1 << 24, seconds=seconds, clock=clock)


async def read(upload: Upload, most: int | None = None) -> bytes:
    got = b""
    async for piece in upload.pieces():
        got += piece
        if most is not None and len(got) >= most:
            break
    return got


def in_company(upload: Upload, scenario: Callable[[], Awaitable[bytes]]) -> Awaitable[bytes]:
    async def both() -> bytes:
        with UnlessLeft(upload.receive, 0):
            return await scenario()

    return both()


@given(
    pieces=st.lists(st.tuples(st.floats(0, 3), st.binary(max_size=40)), min_size=1, max_size=12),
    first=st.binary(max_size=40),
    stops=st.lists(st.integers(1, 300), max_size=3),
)
def test_every_reading_begins_at_the_start_and_the_last_has_it_all(
    pieces: Pieces, first: bytes, stops: list[int]
) -> None:
    body = first + b"".join(piece for _, piece in pieces)

    async def scenario() -> None:
        upload = uploaded(Sender(pieces), first, len(body))

        async def readings() -> bytes:
            for stop in stops:
                assert body.startswith(await read(upload, stop))
            return await read(upload)

        assert await in_company(upload, readings) == body
        assert upload.waited_s() == pytest.approx(sum(seconds for seconds, _ in pieces), abs=1e-6)

    run_virtually(scenario())


def test_a_reading_that_was_replaced_takes_nothing_more() -> None:
    async def scenario() -> None:
        upload = uploaded(Sender([(1, b"b"), (1, b"c")]), b"a")
        watching = asyncio.ensure_future(until_left(upload.receive))
        stale = asyncio.ensure_future(read(upload))
        await asyncio.sleep(0.5)
        assert await read(upload) == b"abc"
        assert await stale == b"a"
        assert upload.waited_s() == pytest.approx(2)
        watching.cancel()

    run_virtually(scenario())


@given(sizes=st.lists(st.integers(1, AHEAD_BYTES), min_size=1, max_size=12), taken=st.integers(0, 3 * AHEAD_BYTES))
def test_no_more_is_read_ahead_than_may_be(sizes: list[int], taken: int) -> None:
    async def scenario() -> None:
        sender = Sender([(0, bytes(size)) for size in sizes])
        upload = uploaded(sender)
        watching = asyncio.ensure_future(until_left(upload.receive))
        seen = 0 if taken == 0 else len(await read(upload, taken))
        await asyncio.sleep(1)
        came = sum(sizes) - sum(len(piece) for _, piece in sender.left)
        assert came <= seen + 2 * AHEAD_BYTES
        assert upload.waited_s() == 0
        watching.cancel()

    run_virtually(scenario())


@pytest.mark.parametrize("sent", [b"abc", b"abcde"])
def test_a_body_of_another_length_than_announced_is_none(sent: bytes) -> None:
    async def scenario() -> None:
        upload = uploaded(Sender([(0, sent)]), length=4)
        with pytest.raises(CallerLeftError):
            await in_company(upload, lambda: read(upload))

    run_virtually(scenario())


def test_the_callers_time_is_bounded_in_all_and_the_backends_is_none_of_it() -> None:
    async def scenario() -> None:
        upload = uploaded(Sender([(4, bytes(3 * AHEAD_BYTES)), (4, b"b"), (4, b"c")]), seconds=10)

        async def slowly() -> bytes:
            pieces = upload.pieces()
            assert len(await anext(pieces)) == 3 * AHEAD_BYTES
            await asyncio.sleep(100)
            return await anext(pieces) + await anext(pieces)

        with pytest.raises(ProblemError) as problem:
            await in_company(upload, slowly)
        assert (problem.value.status, problem.value.headers) == (408, {"Connection": "close"})

    run_virtually(scenario())
