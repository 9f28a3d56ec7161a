"""An answer is the same however the network cuts it, and a connection never gives one call's bytes to another."""

import asyncio
import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from app.backends.connection import WHOLE_BYTES, Connection
from routers.call import SendError
from tests.app.wire import connected
from tests.faulty import CHUNKED, LINES, chunk, whole

BODY = st.binary(max_size=40)
INTERIM = st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"])


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Cut bytes at the places that lie within."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


async def read(each: Connection) -> bytes:
    await each.begun()
    body = each.take()
    while not each.done:
        await each.more()
        body += each.take()
    return body


async def exchange(segments: Sequence[bytes], *, ends: bool, wants_body: bool = True) -> tuple[bytes, Connection]:
    """Feed the segments of one answer, reading all the while."""
    each, _ = await connected()
    each.ask(b"GET / HTTP/1.1\r\n\r\n", b"", wants_body=wants_body)
    reading = asyncio.create_task(read(each))
    for segment in segments:
        each.data_received(segment)
        await asyncio.sleep(0)
    if ends:
        each.connection_lost(None)
    return await reading, each


@given(INTERIM, BODY, st.lists(st.integers(0, 500)), st.booleans())
def test_an_answer_of_announced_length_is_the_same_however_it_is_cut(
    interim: bytes, body: bytes, places: list[int], wants_body: bool
) -> None:
    data = interim + whole(body if wants_body else b"", length=len(body))
    got, each = asyncio.run(exchange(cut(data, places), ends=False, wants_body=wants_body))
    assert got == (body if wants_body else b"")
    assert each.status == 200
    assert [name for name, _ in each.headers] == [b"content-type", b"content-length"]
    assert each.is_reusable


@given(st.lists(BODY.filter(bool)), st.booleans(), st.lists(st.integers(0, 500)))
def test_a_chunked_answer_is_the_same_however_it_is_cut(bodies: list[bytes], trails: bool, places: list[int]) -> None:
    end = b"0\r\nx-trailer: 1\r\n\r\n" if trails else chunk(b"")
    data = CHUNKED + b"".join(chunk(body) for body in bodies) + end
    got, each = asyncio.run(exchange(cut(data, places), ends=False))
    assert got == b"".join(bodies)
    assert b"x-trailer" not in dict(each.headers)
    assert each.is_reusable


@given(BODY, st.lists(st.integers(0, 500)))
def test_an_answer_that_ends_with_its_connection_is_the_same_however_it_is_cut(body: bytes, places: list[int]) -> None:
    got, _ = asyncio.run(exchange(cut(LINES + b"\r\n" + body, places), ends=True))
    assert got == body


@given(st.data())
def test_an_answer_that_breaks_off_is_never_taken_for_whole(data: st.DataObject) -> None:
    answer = data.draw(st.sampled_from([whole(b"a body"), CHUNKED + chunk(b"a ") + chunk(b"body") + chunk(b"")]))
    end = data.draw(st.integers(0, len(answer) - 1))
    try:
        got, _ = asyncio.run(exchange([answer[:end]] if end else [], ends=True))
    except SendError:
        return
    raise AssertionError(got)


@given(BODY.filter(bool), BODY.filter(bool), st.integers(0, 500))
def test_what_comes_unasked_closes_the_connection(body: bytes, more: bytes, place: int) -> None:
    async def scenario() -> None:
        for intruder in (whole(more), b"x" + more):
            data = whole(body) + intruder
            got, each = await exchange(cut(data, [place]), ends=False)
            assert got == body
            assert not each.is_open

    asyncio.run(scenario())


def test_a_backend_waits_for_a_slow_reader_of_a_stream_and_for_nobody_else() -> None:
    async def scenario() -> None:
        for length, is_stream in ((WHOLE_BYTES, False), (WHOLE_BYTES + 1, True)):
            each, wire = await connected()
            each.ask(b"", b"", wants_body=True)
            each.data_received(whole(b"", length=length) + b"x" * 100_000)
            assert wire.paused is is_stream
            if is_stream:
                await each.begun()
                assert len(each.take()) == 100_000
                assert not wire.paused

    asyncio.run(scenario())
