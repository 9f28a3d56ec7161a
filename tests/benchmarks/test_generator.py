import asyncio
from functools import partial

import pytest

from benchmarks.generator import drive, prepared, whole_length
from benchmarks.upstream import Answerer, answer_of

ANSWER = answer_of(80)


def job(port: int, **more: object) -> dict[str, object]:
    url = f"http://127.0.0.1:{port}/a"
    return {
        "url": url,
        "method": "GET",
        "headers": {},
        "body": "",
        "users": 1,
        "connections": 3,
        "seconds": 0.05,
        **more,
    }


async def test_every_answer_is_counted_and_timed() -> None:
    async with await asyncio.get_running_loop().create_server(partial(Answerer, ANSWER), "127.0.0.1", 0) as server:
        told = await drive(job(server.sockets[0].getsockname()[1]))
    assert told["requests"] > 3
    assert told["failures"] == 0
    assert 0 < told["p50_us"] <= told["p99_us"]


async def test_connections_that_break_are_failures() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        told = await drive(job(server.sockets[0].getsockname()[1]))
    assert (told["requests"], told["failures"]) == (0, 3)


def test_the_request_is_prepared_once_and_whole() -> None:
    [request] = prepared(job(80, method="POST", body="{}", headers={"X-User-Id": "u1"}))
    assert request.split(b"\r\n") == [
        b"POST /a HTTP/1.1",
        b"Host: 127.0.0.1:80",
        b"X-User-Id: u1",
        b"Content-Length: 2",
        b"",
        b"{}",
    ]


def test_every_user_has_a_request_of_his_own() -> None:
    first, second = prepared(job(80, headers={"X-User-Id": "user-{user}"}, users=2))
    assert b"X-User-Id: user-1\r\n" in first
    assert second == first.replace(b"user-1", b"user-2")


def test_an_answer_is_whole_when_its_announced_length_is_here() -> None:
    assert whole_length(ANSWER) == len(ANSWER)
    assert whole_length(ANSWER[:20]) is None
    with pytest.raises(ValueError, match="Content-Length"):
        whole_length(b"HTTP/1.1 200 OK\r\n\r\n")
