"""Answers in every form HTTP/1.1 knows, and in some it does not: what is whole, what is garbage, and what it costs."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends import BUFFER_BYTES, HEAD_BYTES, HEAD_LINES, WHOLE_BYTES, BackendClient
from routers.call import Answer, Call, Headers, SendError
from routers.causes import Cause
from routers.hops import UnsafeCallError
from routers.model import Backend
from tests.app.conftest import Run
from tests.app.wire import connected
from tests.faulty import CHUNKED, LINES, OK, Do, Faulty, Turn, chunk, faulty, whole

HINTS = b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\ncontent-length: 7\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
OLD = b"HTTP/1.0 200 OK\r\n"


@pytest.fixture
async def client() -> AsyncIterator[BackendClient]:
    """Enter a client."""
    async with BackendClient() as each:
        yield each


async def ask(client: BackendClient, backend: Faulty, method: str = "GET") -> Answer:
    """Send a call and return its answer."""
    return await client.send(Backend(url=backend.url), Call(method, "/query", [], b""))


async def whole_of(client: BackendClient, backend: Faulty, method: str = "GET") -> bytes:
    """Send a call and return the body of its answer."""
    answer = await ask(client, backend, method)
    return answer.body + (b"" if answer.rest is None else b"".join([piece async for piece in answer.rest]))


@pytest.mark.parametrize(
    "turn",
    [
        [CONTINUE + HINTS * 3 + whole(b"it")],
        [HINTS, 0.01, CONTINUE, 0.01, whole(b"it")],
        [CHUNKED + b'2;name="value"\r\nit\r\n0\r\nx-checksum: 1\r\nx-other: 2\r\n\r\n'],
        [CHUNKED + chunk(b"i"), 0.01, chunk(b"t"), 0.01, b"0\r\nx-checksum", 0.01, b": 1\r\n\r\n"],
        [LINES + b"x-empty:\r\nx-other: \r\ncontent-length: 2\r\n\r\nit"],
        [LINES + b"connection: Upgrade\r\nupgrade: h2,h2c\r\ncontent-length: 2\r\n\r\nit"],
        [OLD + b"connection: keep-alive\r\ncontent-length: 2\r\n\r\nit"],
    ],
)
async def test_an_answer_is_whole_and_leaves_nothing_to_the_next_on_its_connection(
    client: BackendClient, turn: Turn
) -> None:
    async with faulty(turn, [whole(b"next")]) as backend:
        assert await whole_of(client, backend) == b"it"
        answer = await ask(client, backend)
        assert answer.body == b"next"
        assert [name for name, _ in answer.headers] == [b"content-type", b"content-length"]
        assert backend.connections == 1


async def test_hints_of_an_interim_answer_are_not_headers_of_the_answer(client: BackendClient) -> None:
    async with faulty([HINTS + LINES + b"x-empty:\r\ncontent-length: 0\r\n\r\n"]) as backend:
        assert (await ask(client, backend)).headers == [(b"x-empty", b""), (b"content-length", b"0")]


@pytest.mark.parametrize(
    "turn",
    [
        [whole(b"it", b"connection: close")],
        [whole(b"it", b"connection: x-thing, Close")],
        [OLD + b"content-length: 2\r\n\r\nit"],
        [OLD + b"\r\nit", Do.CLOSE],
        [OLD + b"\r\n", 0.01, b"i", 0.01, b"t", Do.CLOSE],
        [CHUNKED.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + chunk(b"it") + chunk(b"")],
        [whole(b"it") + b"more"],
        [whole(b"it") + whole(b"another")],
        [CHUNKED + chunk(b"it") + chunk(b"") + b"more"],
    ],
)
async def test_a_connection_that_is_at_its_end_is_not_used_again(client: BackendClient, turn: Turn) -> None:
    async with faulty(turn, [whole(b"next")]) as backend:
        assert await whole_of(client, backend) == b"it"
        assert await whole_of(client, backend) == b"next"
        assert backend.connections == 2


@pytest.mark.parametrize(
    "turn",
    [
        [b"HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nbody"],
        [b"HTTP/1.1 304 Not Modified\r\n\r\nbody"],
        [b"HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"")],
    ],
)
async def test_what_follows_an_answer_without_a_body_is_never_the_next_answer(
    client: BackendClient, turn: Turn
) -> None:
    async with faulty(turn, [whole(b"next")]) as backend:
        assert await whole_of(client, backend) == b""
        await asyncio.sleep(0.02)
        assert await whole_of(client, backend) == b"next"


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked",
        b"transfer-encoding: chunked\r\ncontent-length: 4",
        b"content-length: 2\r\ncontent-length: 4",
        b"content-length: 2, 4",
        b"content-length: -2",
        b"content-length: 0x2",
        b"content-length: 99999999999999999999999",
        b"content-length: ",
        b"transfer-encoding: gzip, chunked",
        b"transfer-encoding: chunked, gzip",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        b"transfer-encoding: identity",
        b"transfer-encoding: xchunked",
        b"content-length : 2",
        b"x-bad name: 1\r\ncontent-length: 2",
        b"x-nul: \x00\r\ncontent-length: 2",
        b"x-control: \x01\r\ncontent-length: 2",
        b"no colon\r\ncontent-length: 2",
        b"x-bare: 1\rx-cr: 2\r\ncontent-length: 2",
    ],
)
async def test_a_head_that_may_be_read_in_two_ways_is_garbage(client: BackendClient, head: bytes) -> None:
    async with faulty([LINES + head + b"\r\n\r\n2\r\nit\r\n0\r\n\r\n"]) as backend:
        with pytest.raises(SendError) as caught:
            await whole_of(client, backend)
        assert caught.value.cause is Cause.GARBAGE


@pytest.mark.parametrize("status", [b"000", b"099", b"600", b"999", b"20", b"2000", b"abc"])
async def test_a_status_that_is_none_is_garbage(client: BackendClient, status: bytes) -> None:
    async with faulty([b"HTTP/1.1 " + status + b" Odd\r\ncontent-length: 0\r\n\r\n"]) as backend:
        with pytest.raises(SendError) as caught:
            await ask(client, backend)
        assert caught.value.cause is Cause.GARBAGE


def endless(start: bytes, part: bytes) -> Iterator[bytes]:
    """Yield the start of an answer, and then the same part for ever."""
    return itertools.chain([start], itertools.repeat(part))


@pytest.mark.parametrize(
    "answer",
    [
        lambda: endless(LINES, b"x"),
        lambda: endless(LINES + b"x: ", b"y" * 1000),
        lambda: endless(LINES, b"x-name: value\r\n"),
        lambda: endless(b"", HINTS),
        lambda: endless(b"", CONTINUE),
        lambda: endless(CHUNKED, b"0" * 1000),
        lambda: endless(CHUNKED + b"2;", b"x" * 1000),
        lambda: endless(CHUNKED + chunk(b"it") + b"2;", b"x" * 1000),
        lambda: endless(CHUNKED + chunk(b"it") + b"0\r\nx-trailer: ", b"y" * 1000),
        lambda: endless(CHUNKED + chunk(b"it") + b"0\r\n", b"x-trailer: y\r\n"),
        lambda: endless(CHUNKED + chunk(b"it") + b"0\r\n", b"x"),
    ],
)
async def test_what_never_comes_to_an_answer_or_its_end_is_given_up_at_a_bound(
    answer: Callable[[], Iterator[bytes]],
) -> None:
    each, wire = await connected()
    each.ask(b"", b"", wants_body=True)
    fed = 0
    for part in answer():
        each.data_received(part)
        fed += len(part)
        if wire.gone:
            break
        assert fed <= 4 * HEAD_BYTES + 2000
    each.take()
    with pytest.raises(SendError) as caught:
        await each.more()
    assert caught.value.cause is Cause.GARBAGE


async def test_the_most_that_a_head_may_hold_passes() -> None:
    line = b"x: " + b"y" * (HEAD_BYTES - 1) + b"\r\n"
    for lines in ([line] * 3, [b"x-%d: 1\r\n" % each for each in range(HEAD_LINES - 1)]):
        each, _ = await connected()
        each.ask(b"", b"", wants_body=True)
        for part in (LINES, *lines, b"content-length: 2\r\n\r\nit"):
            each.data_received(part)
        assert each.done
        assert each.take() == b"it"


@given(st.lists(st.integers(1, 3 * BUFFER_BYTES), min_size=1, max_size=30), st.data())
def test_a_stream_that_nobody_reads_is_read_no_further(sizes: list[int], data: st.DataObject) -> None:
    async def scenario() -> None:
        each, wire = await connected()
        each.ask(b"", b"", wants_body=True)
        each.data_received(CHUNKED)
        taken = 0
        for size in sizes:
            if wire.paused:
                assert each._unread > BUFFER_BYTES
                taken += len(each.take())
                assert not wire.paused
            each.data_received(chunk(b"x" * size))
            assert wire.paused == (each._unread > BUFFER_BYTES)
            if data.draw(st.booleans()):
                taken += len(each.take())
        assert taken + len(each.take()) == sum(sizes)

    asyncio.run(scenario())


def test_a_backend_that_pours_out_a_stream_waits_for_a_slow_caller(run: Run) -> None:
    poured = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal poured
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(b"", length=100 * WHOLE_BYTES))
        while poured < 100:
            writer.write(b"x" * WHOLE_BYTES)
            await writer.drain()
            poured += 1
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(pour, "127.0.0.1", 0) as server, BackendClient() as client:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            answer = await client.send(Backend(url=url), Call("GET", "/", [], b""))
            before = -1
            while poured > before:
                before = poured
                await asyncio.sleep(0.05)
            # what the kernel holds of one connection is megabytes
            assert poured < 50
            assert answer.rest is not None
            assert len(answer.body) + sum([len(piece) async for piece in answer.rest]) == 100 * WHOLE_BYTES

    run(scenario())


async def test_a_connection_with_an_unsent_rest_of_a_request_is_not_used_again() -> None:
    each, _ = await connected()
    each.ask(b"", b"x", wants_body=True)
    each.pause_writing()
    each.data_received(whole(b"early"))
    assert not each.is_reusable
    each.resume_writing()
    assert each.is_reusable


async def test_a_stream_that_was_hung_up_on_here_is_never_taken_for_whole(client: BackendClient) -> None:
    async with faulty([LINES + b"\r\nhalf", Do.HANG]) as backend:
        answer = await ask(client, backend)
        assert answer.rest is not None
        client._pool.close()
        with pytest.raises(SendError) as caught:
            _ = [piece async for piece in answer.rest]
        assert caught.value.cause is Cause.INTERRUPTED


SMUGGLED = [b"1\r\nx-admin: 1", b"1\nx-admin: 1", b"1\rx-admin: 1", b"1\x00", b"\r\n\r\nGET /admin HTTP/1.1\r\nx: "]


@pytest.mark.parametrize(
    "headers",
    [
        *[[(b"x", value)] for value in SMUGGLED],
        *[[(b"x" + value, b"1")] for value in SMUGGLED],
        *[[(name, b"1")] for name in (b"", b"x ", b" x", b"x\t", b"x:", b"x: 1\r\ny", b"content-length ")],
    ],
)
async def test_a_header_that_is_more_than_one_is_refused(client: BackendClient, headers: Headers) -> None:
    async with faulty(OK) as backend:
        with pytest.raises(UnsafeCallError):
            await client.send(Backend(url=backend.url), Call("GET", "/query", headers, b""))
        assert backend.requests == []


@pytest.mark.parametrize("path", ["/a b", "/a\r\nx: 1", "/a\n", "/a\0", "/a HTTP/1.1\r\n\r\nGET /", "a", "/\x7f", "/é"])
async def test_a_path_that_is_more_than_one_is_refused(client: BackendClient, path: str) -> None:
    async with faulty(OK) as backend:
        with pytest.raises(UnsafeCallError):
            await client.send(Backend(url=backend.url), Call("GET", path, [], b""))
        assert backend.requests == []


async def test_a_caller_cannot_frame_the_request(client: BackendClient) -> None:
    claims: Headers = [(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"99"), (b"host", b"other")]
    async with faulty(OK) as backend:
        for method, body in (("POST", b"it"), ("POST", b""), ("GET", b"")):
            await client.send(Backend(url=backend.url), Call(method, "/query", claims, body))
            sent = backend.requests[-1].lower()
            assert b"transfer-encoding" not in sent
            assert b"99" not in sent.partition(b"host:")[2].partition(b"\r\n")[2]
            assert sent.count(b"host:") == 1
            assert sent.count(b"content-length: %d\r\n" % len(body)) == (method == "POST")
