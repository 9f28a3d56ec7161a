"""Callers who leave before their answer: the backend is let go of at once, and nobody is blamed."""

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.app.fronted import PATIENCE_S, heard, make, opened, with_flag, written
from tests.faulty import HANGS, HANGS_AFTER_HEADERS, HANGS_IN_MID_ANSWER, STREAM_HANGS, Do, Turn, faulty, whole
from tests.service import RunningService, started

STRICT = {"minimum_calls": 1, "failure_rate": 0.01, "slow_call_ms": 1, "minimum_slow_calls": 1}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run one service for all tests of this module."""
    with started(tmp_path_factory.mktemp("leaving")) as running:
        with_flag(running)
        yield running


async def soon(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def leave(service: RunningService, request: bytes, asked: asyncio.Event, *, by_reset: bool = False) -> None:
    """Send a request, and hang up when the backend has it."""
    _, writer = await opened(service)
    writer.write(request)
    async with asyncio.timeout(PATIENCE_S):
        await asked.wait()
    if by_reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.close()


def in_flight(service: RunningService) -> set[str]:
    """Return what the metric says of calls on the way."""
    lines = service.client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[2] for line in lines if line.startswith("crossfade_backend_in_flight{")}


@pytest.mark.parametrize("by_reset", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("turn", [HANGS, HANGS_AFTER_HEADERS, HANGS_IN_MID_ANSWER, STREAM_HANGS])
async def test_who_leaves_takes_his_call_along_and_blames_nobody(
    service: RunningService, turn: Turn, method: str, *, by_reset: bool
) -> None:
    async with faulty(turn, [whole()]) as new, faulty([whole()]) as legacy:
        sides = {"new": {"url": new.url, "breaker": STRICT}, "legacy": legacy.url}
        await make(service, sides, deadline_ms=60_000)
        await leave(service, written(f"{method} /route/r HTTP/1.1", body=b"{}"), new.asked, by_reset=by_reset)
        await soon(lambda: new.open == 0)
        await soon(lambda: in_flight(service) == {"0.0"})
        states = {item["state"] for item in service.ok("GET", "/breakers")["items"] if item["route"] == "r"}
        after = await heard(service, written("GET /route/r HTTP/1.1", "Connection: close"))
        assert (states, after.status, after.body) == ({"closed"}, 200, b'{"from": "here"}')
        assert (new.connections, legacy.connections) == (2, 0)
    assert "Traceback" not in service.log


async def test_who_leaves_during_the_fallback_takes_that_along_too(service: RunningService) -> None:
    async with faulty([Do.CLOSE]) as new, faulty([Do.HANG]) as legacy:
        await make(service, {"new": new.url, "legacy": legacy.url}, deadline_ms=60_000)
        await leave(service, written("GET /route/r HTTP/1.1"), legacy.asked)
        await soon(lambda: legacy.open == 0)


async def test_who_has_left_is_counted_as_such(service: RunningService) -> None:
    def left() -> list[str]:
        lines = service.client.get("/metrics").text.splitlines()
        return [line for line in lines if 'status="499"' in line and "requests_total" in line]

    before = left()
    async with faulty([Do.HANG]) as new:
        await make(service, {"new": new.url, "legacy": new.url}, deadline_ms=60_000)
        await leave(service, written("GET /route/r HTTP/1.1"), new.asked)
        await soon(lambda: left() != before)


async def test_a_second_request_on_the_connection_does_not_pass_for_leaving(service: RunningService) -> None:
    async with faulty([0.3, whole(b"1")], [whole(b"2")]) as new:
        await make(service, {"new": new.url, "legacy": new.url}, profile="raw")
        both = written("GET /route/r HTTP/1.1") + written("GET /route/r HTTP/1.1", "Connection: close")
        answer = await heard(service, both)
    assert (answer.body[:1], answer.body[-1:], len(new.requests)) == (b"1", b"2", 2)
