import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from app.backends import ONE_WRITE_BYTES, WHOLE_BYTES, BackendClient
from routers.call import Answer, Call, Headers, SendError
from routers.causes import Cause
from routers.hops import UnsafeCallError
from routers.model import Backend
from tests.faulty import CHUNKED, LINES, OK, REDIRECTS, Do, Faulty, Turn, chunk, faulty, whole


@pytest.fixture
async def client() -> AsyncIterator[BackendClient]:
    """Enter a client."""
    async with BackendClient() as each:
        yield each


async def ask(
    client: BackendClient, backend: Faulty, *headers: tuple[bytes, bytes], method: str = "GET", body: bytes = b""
) -> Answer:
    """Send a call and return its answer."""
    return await client.send(Backend(url=backend.url), Call(method, "/query?x=%201", list(headers), body))


async def rest_of(answer: Answer) -> bytes:
    """Return the whole body of an answer."""
    return answer.body + (b"" if answer.rest is None else b"".join([piece async for piece in answer.rest]))


async def test_a_backend_gets_what_the_caller_sent_and_nothing_of_ours(client: BackendClient) -> None:
    async with faulty(OK) as backend:
        headers = [(b"Host", b"front:8000"), (b"x-user-id", b"u1"), (b"accept-encoding", b"br"), (b"cookie", b"a=1")]
        await ask(client, backend, *headers, (b"content-length", b"99"), method="POST", body=b'{"q": 1}')
        host = backend.url.removeprefix("http://")
        assert backend.heads[0].splitlines() == [
            "POST /query?x=%201 HTTP/1.1",
            f"Host: {host}",
            "x-user-id: u1",
            "accept-encoding: br",
            "cookie: a=1",
            "Content-Length: 8",
        ]
        assert backend.requests[0].endswith(b'\r\n\r\n{"q": 1}')


async def test_a_caller_gets_what_the_backend_answered(client: BackendClient) -> None:
    more = [
        b"Set-Cookie: a=1",
        b"Set-Cookie: b=2",
        b"X-Model: \xff\xfe",
        b"Connection: x-model-path",
        b"X-Model-Path: /",
    ]
    async with faulty([whole(b"{}", *more, b"Keep-Alive: timeout=5", status=b"201 Created")]) as backend:
        answer = await ask(client, backend)
        assert answer == Answer(
            201,
            [
                (b"content-type", b"application/json"),
                (b"content-length", b"2"),
                (b"set-cookie", b"a=1"),
                (b"set-cookie", b"b=2"),
                (b"x-model", b"\xff\xfe"),
            ],
            b"{}",
        )


async def test_a_header_travels_as_the_bytes_it_is_whatever_they_spell(client: BackendClient) -> None:
    async with faulty(OK) as backend:
        await ask(client, backend, (b"x-name", "Zoë".encode()), (b"x-old", "Zoë".encode("latin-1")))
        lines = backend.requests[0].split(b"\r\n")
        assert b"x-name: Zo\xc3\xab" in lines
        assert b"x-old: Zo\xeb" in lines


async def test_cookies_of_one_caller_never_reach_another(client: BackendClient) -> None:
    async with faulty([whole(b"{}", b"set-cookie: session=secret; Path=/")]) as backend:
        await ask(client, backend)
        await ask(client, backend)
        assert "secret" not in backend.heads[1]


async def test_large_and_many_headers_pass(client: BackendClient) -> None:
    lines = [b"x-large: " + b"x" * 60_000, *[b"x-%d: 1" % each for each in range(200)]]
    async with faulty([whole(b"{}", *lines)]) as backend:
        answer = await ask(client, backend)
        assert len(answer.headers) == 203
        assert len(dict(answer.headers)[b"x-large"]) == 60_000


async def test_redirects_are_answers(client: BackendClient) -> None:
    async with faulty(REDIRECTS) as backend:
        answer = await ask(client, backend)
        assert answer.status == 302
        assert (b"location", b"http://127.0.0.1:1/elsewhere") in answer.headers


async def test_a_compressed_body_stays_compressed(client: BackendClient) -> None:
    packed = gzip.compress(b"words " * 100)
    async with faulty([whole(packed, b"content-encoding: gzip")]) as backend:
        answer = await ask(client, backend)
        assert answer.body == packed
        assert (b"content-encoding", b"gzip") in answer.headers


@pytest.mark.parametrize(
    ("method", "turn", "length"),
    [
        ("HEAD", [whole(b"", length=10**9)], b"1000000000"),
        ("GET", [LINES.replace(b"200 OK", b"204 No Content") + b"\r\n"], None),
        ("GET", [whole(b"", status=b"304 Not Modified", length=500)], b"500"),
        ("GET", [whole(b"")], b"0"),
        ("GET", [CHUNKED + chunk(b"")], None),
    ],
)
async def test_an_answer_without_a_body_is_whole_and_its_connection_used_again(
    client: BackendClient, method: str, turn: Turn, length: bytes | None
) -> None:
    async with faulty(turn) as backend:
        for _ in range(2):
            answer = await ask(client, backend, method=method)
            assert answer.body == b""
            assert answer.rest is None
            assert dict(answer.headers).get(b"content-length") == length
        assert backend.connections == 1


async def test_an_answer_up_to_a_mebibyte_is_whole_and_a_larger_one_is_not(client: BackendClient) -> None:
    small, large = b"s" * WHOLE_BYTES, b"l" * (WHOLE_BYTES + 1)
    async with faulty([whole(small)], [whole(large)]) as backend:
        answer = await ask(client, backend)
        assert answer.rest is None
        assert answer.body == small
        answer = await ask(client, backend)
        assert answer.rest is not None
        assert await rest_of(answer) == large


async def test_an_answer_of_unknown_length_ends_with_its_connection(client: BackendClient) -> None:
    async with faulty([LINES + b"\r\nfirst", 0.01, b" last", Do.CLOSE]) as backend:
        assert await rest_of(await ask(client, backend)) == b"first last"


async def test_a_chunked_answer_that_is_there_at_once_is_whole(client: BackendClient) -> None:
    async with faulty([CHUNKED + chunk(b"all ") + chunk(b"there") + chunk(b"")]) as backend:
        answer = await ask(client, backend)
        assert answer == Answer(200, [(b"content-type", b"text/plain")], b"all there")


async def test_the_first_piece_of_a_stream_is_not_held_back(client: BackendClient) -> None:
    async with faulty([CHUNKED, 0.01, chunk(b"now"), Do.HANG]) as backend:
        async with asyncio.timeout(2):
            answer = await ask(client, backend)
        assert answer.body == b"now"
        assert answer.rest is not None


@pytest.mark.parametrize("size", [ONE_WRITE_BYTES, ONE_WRITE_BYTES + 1, 80 * ONE_WRITE_BYTES])
async def test_large_bodies_are_sent_whole(client: BackendClient, size: int) -> None:
    async with faulty(OK) as backend:
        await ask(client, backend, method="POST", body=b"x" * size)
        assert f"Content-Length: {size}" in backend.heads[0]
        assert backend.requests[0].endswith(b"\r\n\r\n" + b"x" * size)


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "PUT", "TRACE", "PROPFIND"])
async def test_every_method_passes(client: BackendClient, method: str) -> None:
    async with faulty(OK) as backend:
        await ask(client, backend, method=method)
        assert backend.heads[0].startswith(f"{method} /query")


@pytest.mark.parametrize(
    ("method", "header"),
    [
        ("CONNECT", (b"x", b"1")),
        ("connect", (b"x", b"1")),
        ("GET /evil HTTP/1.1\r\nX:", (b"x", b"1")),
        ("GET", (b"x", b"1\r\nx-admin: 1")),
        ("GET", (b"x\r\nx-admin: 1\r\ny", b"1")),
        ("GET", (b"\xff", b"1")),
    ],
)
async def test_a_call_that_would_smuggle_something_in_is_refused(
    client: BackendClient, method: str, header: tuple[bytes, bytes]
) -> None:
    async with faulty(OK) as backend:
        with pytest.raises(UnsafeCallError):
            await ask(client, backend, header, method=method)
        assert backend.requests == []


async def test_an_expectation_is_not_passed_on_since_the_body_is_here(client: BackendClient) -> None:
    headers: Headers = [(b"expect", b"100-continue")]
    async with faulty(OK) as backend:
        await ask(client, backend, *headers, method="POST", body=b"here")
        assert "100-continue" not in backend.heads[0].lower()


async def test_an_interim_answer_is_passed_by(client: BackendClient) -> None:
    async with faulty([b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + whole(b"{}")]) as backend:
        assert (await ask(client, backend)).status == 200


async def test_an_answer_of_two_framings_is_garbage(client: BackendClient) -> None:
    both = LINES + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"data") + chunk(b"")
    async with faulty([both]) as backend:
        with pytest.raises(SendError) as caught:
            await ask(client, backend)
        assert caught.value.cause is Cause.GARBAGE
