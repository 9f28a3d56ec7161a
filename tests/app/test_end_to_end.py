"""A real service in front of real backends that fail in every way: what the user gets."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faulty import CHUNKED, SSE, Do, Turn, chunk, closed_port, faulty, whole
from tests.service import ADMIN, RunningService, started

DEADLINE_S = 2.0
LEGACY = whole(b'{"from": "legacy"}')


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run one service for all tests of this module."""
    folder: Path = tmp_path_factory.mktemp("end-to-end")
    with started(folder) as running:
        running.ok("POST", "/flags", {"key": "side", "variants": {"new": True, "legacy": False}})
        running.ok("PUT", "/flags/side/rollout", {"percentage": 100})
        yield running


@dataclass(frozen=True)
class Got:
    """What came back over the wire: a missing end is an answer that is not whole."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool
    seconds: float


async def ask(service: RunningService, new: str, legacy: str, method: str = "POST") -> Got:
    """Make the route anew for these backends, and send one call through it."""
    backends: dict[str, Any] = {"new": {"url": new, "timeout_ms": 500}, "legacy": {"url": legacy}}
    route = {"name": "r", "flag": "side", "profile": "rag", "backends": backends, "deadline_ms": int(DEADLINE_S * 1000)}
    await asyncio.to_thread(_make, service, route)
    started_at = asyncio.get_running_loop().time()
    answer = await call(service.url, f"{method} /route/r/query HTTP/1.1")
    return Got(*answer, asyncio.get_running_loop().time() - started_at)


def _make(service: RunningService, route: dict[str, Any]) -> None:
    known = service.client.get("/routes/r", headers={"Authorization": f"Bearer {ADMIN}"}).is_success
    if known:
        service.ok("DELETE", "/routes/r", if_match="*")
    service.ok("POST", "/routes", route)


async def call(url: str, line: str) -> tuple[int, dict[str, str], bytes, bool]:
    """Send a request by hand, so that nothing between hides how the answer ended."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"{line}\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nX-User-Id: u1\r\nContent-Length: 2\r\n\r\n"
    writer.write(head.encode() + b"{}")
    try:
        told = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in told[1:] if line)
        if "content-length" in headers:
            body, is_whole = await reader.readexactly(int(headers["content-length"])), True
        else:
            body, is_whole = await _pieces(reader)
    finally:
        writer.close()
    return int(told[0].split()[1]), headers, body, is_whole


async def _pieces(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    body = b""
    while line := await reader.readline():
        size = int(line, 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if size == 0:
            return body, True
    return body, False


FAILURES: dict[str, tuple[Turn, str]] = {
    "hangs": ([Do.HANG], "timeout"),
    "hangs after its headers": ([whole(b"", length=10), Do.HANG], "timeout"),
    "dies in mid-answer": ([whole(b'{"half', length=500), Do.CLOSE], "interrupted"),
    "is reset in mid-answer": ([whole(b'{"half', length=500), Do.RESET], "interrupted"),
    "closes without a word": ([Do.CLOSE], "interrupted"),
    "answers 500": ([whole(status=b"500 Oh")], "status"),
    "answers 429": ([whole(status=b"429 Slow down")], "status"),
    "answers no HTTP": ([b"\x00\x01 what?\r\n\r\n", Do.CLOSE], "garbage"),
    "answers JSON that is none": ([whole(b"<html>oops</html>")], "garbage"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failing_new_side_leaves_the_user_legacys_answer_in_time(service: RunningService, failure: str) -> None:
    turn, cause = FAILURES[failure]
    async with faulty(turn) as new, faulty([LEGACY]) as legacy:
        got = await ask(service, new.url, legacy.url)
    assert (got.status, got.body) == (200, b'{"from": "legacy"}')
    assert (got.headers["x-crossfade-backend"], got.headers["x-crossfade-fallback"]) == ("legacy", cause)
    assert got.seconds < DEADLINE_S


async def test_a_new_side_that_refuses_leaves_the_user_legacys_answer(service: RunningService) -> None:
    async with faulty([LEGACY]) as legacy:
        got = await ask(service, closed_port(), legacy.url)
    assert (got.status, got.headers["x-crossfade-fallback"]) == (200, "connect")


@pytest.mark.parametrize(
    ("new", "legacy", "status"),
    [([Do.CLOSE], [Do.CLOSE], 502), ([Do.CLOSE], [Do.HANG], 504), ([whole(status=b"500 A")], [Do.CLOSE], 502)],
)
async def test_when_both_fail_the_attempts_are_listed_in_time(
    service: RunningService, new: Turn, legacy: Turn, status: int
) -> None:
    async with faulty(new) as new_side, faulty(legacy) as legacy_side:
        got = await ask(service, new_side.url, legacy_side.url)
    assert got.status == status
    assert [attempt["backend"] for attempt in json.loads(got.body)["attempts"]] == ["new", "legacy"]
    assert got.seconds < DEADLINE_S + 0.5


async def test_when_neither_can_be_reached_it_is_503_with_retry_after(service: RunningService) -> None:
    got = await ask(service, closed_port(), closed_port())
    assert (got.status, int(got.headers["retry-after"]) >= 1) == (503, True)


async def test_a_stream_passes_as_it_comes(service: RunningService) -> None:
    pieces = [SSE, chunk(b"data: 1\n\n"), 0.05, chunk(b"data: 2\n\n"), chunk(b"")]
    async with faulty(pieces) as new, faulty([LEGACY]) as legacy:
        got = await ask(service, new.url, legacy.url)
    assert (got.status, got.body, got.is_whole) == (200, b"data: 1\n\ndata: 2\n\n", True)
    assert got.headers["x-crossfade-backend"] == "new"


async def test_a_stream_that_dies_before_its_first_byte_falls_back(service: RunningService) -> None:
    async with faulty([SSE, Do.CLOSE]) as new, faulty([LEGACY]) as legacy:
        got = await ask(service, new.url, legacy.url)
    assert (got.body, got.headers["x-crossfade-fallback"]) == (b'{"from": "legacy"}', "interrupted")


@pytest.mark.parametrize(("head", "is_sse"), [(SSE, True), (CHUNKED, False)])
async def test_a_stream_that_breaks_later_never_ends_as_if_it_were_whole(
    service: RunningService, head: bytes, is_sse: bool
) -> None:
    async with faulty([head, chunk(b"data: 1\n\n"), 0.05, Do.RESET]) as new, faulty([LEGACY]) as legacy:
        got = await ask(service, new.url, legacy.url)
    assert got.body.startswith(b"data: 1\n\n")
    assert got.is_whole is False
    assert (b"event: error\ndata: " in got.body) is is_sse
    metrics = service.client.get("/metrics").text
    assert "Traceback" not in service.log
    assert 'crossfade_route_answers_total{backend="new",decided="new",route="r"}' in metrics
