"""Long bodies on their way through: carried as they come, kept for the fallback, bounded, and nobody's fault."""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.app.fronted import PATIENCE_S, heard, make, opened, with_flag, written
from tests.app.sending import ANNOUNCED, BODY, CHUNKED, HALF, OTHER_HALF, TO_THE_END, calling
from tests.app.taking import Arriving, Taker, answers_after, closes_after, digest, only_reads, takes_all, taking
from tests.faulty import chunk, whole
from tests.service import RunningService, started

LIMIT = 2 << 20
LARGE = 64 << 20
BODY_TIMEOUT_S = 2.5
STRICT = {
    "minimum_calls": 1,
    "failure_rate": 0.01,
    "slow_call_ms": 600,
    "minimum_slow_calls": 1,
    "slow_call_rate": 0.01,
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run one service for all tests of this module."""
    settings = {"max_body_bytes": LIMIT, "body_timeout_s": BODY_TIMEOUT_S}
    with started(tmp_path_factory.mktemp("uploads"), **settings) as running:
        with_flag(running)
        yield running
        assert "Traceback" not in running.log


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run another for large bodies and many, which takes callers their time, too."""
    with started(tmp_path_factory.mktemp("roomy"), max_body_bytes=LARGE, body_timeout_s=90) as running:
        with_flag(running)
        yield running


async def soon(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


def has(backend: Taker, size: int) -> Callable[[], bool]:
    """Say whether the latest request of the backend has this much of its body."""
    return lambda: bool(backend.requests) and len(backend.requests[-1].body) >= size


def lanes(service: RunningService) -> dict[str, tuple[str, int]]:
    """Return the state of each breaker, and how many calls it has counted."""
    items = [item for item in service.ok("GET", "/breakers")["items"] if item["route"] == "r"]
    return {item["backend"]: (item["state"], item["calls"]) for item in items}


def in_flight(service: RunningService) -> set[str]:
    lines = service.client.get("/metrics").text.splitlines()
    return {line.rpartition(" ")[2] for line in lines if line.startswith("crossfade_backend_in_flight{")}


async def send_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(chunk(HALF))
        await writer.drain()


def strict(backend: Taker, **fields: Any) -> dict[str, Any]:
    return {"url": backend.url, "breaker": STRICT, **fields}


@pytest.mark.parametrize("framing", [ANNOUNCED, CHUNKED])
async def test_the_first_bytes_are_at_the_backend_before_the_last_are_sent(
    service: RunningService, framing: str
) -> None:
    async with taking() as new:
        await make(service, {"new": new.url, "legacy": new.url})
        caller = await calling(service, framing)
        await caller.send(HALF)
        await soon(has(new, len(HALF)))
        await caller.send(OTHER_HALF)
        answer = await caller.end()
        assert (answer.status, answer.body) == (200, digest(BODY))
        [request] = new.requests
    assert [line for line in request.head.split("\r\n") if line.startswith(("Content-Length", "Transfer"))] == [framing]


async def test_a_body_that_decides_is_whole_before_a_backend_is_asked(service: RunningService) -> None:
    async with taking() as new:
        await make(service, {"new": new.url, "legacy": new.url}, attributes={"plan": {"json": "plan"}})
        caller = await calling(service)
        await caller.send(HALF)
        assert service.ok("GET", "/readyz")
        assert new.connections == 0
        await caller.send(OTHER_HALF)
        assert (await caller.end()).body == digest(BODY)


@pytest.mark.parametrize("framing", [ANNOUNCED, CHUNKED])
async def test_a_long_body_gets_no_answer_that_was_kept_for_another(service: RunningService, framing: str) -> None:
    async with taking() as new:
        cached = {"fallback": {"replay": "always"}, "cache": {"ttl_s": 60}}
        await make(service, {"new": new.url, "legacy": new.url}, **cached)
        for first in (HALF, OTHER_HALF):
            caller = await calling(service, framing)
            await caller.send(first)
            await caller.send(OTHER_HALF)
            answer = await caller.end()
            assert (answer.body, "x-crossfade-cache: bypass" in answer.head) == (digest(first + OTHER_HALF), True)


async def test_a_short_body_in_two_pieces_is_whole_before_a_backend_is_asked(service: RunningService) -> None:
    async with taking() as new:
        await make(service, {"new": new.url, "legacy": new.url})
        caller = await calling(service, "Content-Length: 2000")
        await caller.send(HALF[:1000])
        assert service.ok("GET", "/readyz")
        assert new.connections == 0
        await caller.send(HALF[1000:2000])
        assert (await caller.end()).body == digest(HALF[:2000])


@pytest.mark.parametrize("framing", [ANNOUNCED, CHUNKED])
async def test_the_fallback_gets_all_of_a_body_of_which_the_first_backend_took_half(
    service: RunningService, framing: str
) -> None:
    async with taking(closes_after(len(HALF))) as new, taking() as legacy:
        await make(service, {"new": new.url, "legacy": legacy.url}, fallback={"replay": "always"})
        caller = await calling(service, framing)
        await caller.send(HALF)
        await soon(has(legacy, len(HALF)))
        await caller.send(OTHER_HALF)
        answer = await caller.end()
    assert (answer.status, answer.body) == (200, digest(BODY))
    assert "x-crossfade-fallback: interrupted" in answer.head


async def test_an_error_in_mid_body_leads_to_the_fallback_too(service: RunningService) -> None:
    async with taking(answers_after(1000, whole(status=b"500 Oops"))) as new, taking() as legacy:
        await make(service, {"new": new.url, "legacy": legacy.url}, fallback={"replay": "always"})
        caller = await calling(service)
        await caller.send(HALF)
        await soon(has(legacy, len(HALF)))
        await caller.send(OTHER_HALF)
        answer = await caller.end()
        await soon(lambda: not new.tasks)
    assert (answer.status, answer.body) == (200, digest(BODY))


async def test_a_body_that_may_not_be_repeated_goes_nowhere_else(service: RunningService) -> None:
    async with taking(closes_after(len(HALF))) as new, taking() as legacy:
        await make(service, {"new": new.url, "legacy": legacy.url}, fallback={"replay": "never"})
        caller = await calling(service)
        await caller.send(HALF)
        assert (await caller.answer()).status == 502
        assert legacy.connections == 0


async def test_a_body_that_grows_too_large_is_413_and_its_backend_let_go_of_unblamed(service: RunningService) -> None:
    async with taking(only_reads) as new, taking() as legacy:
        await make(service, {"new": strict(new), "legacy": legacy.url})
        caller = await calling(service, CHUNKED)
        for _ in range(LIMIT // len(HALF)):
            await caller.send(HALF)
        await soon(has(new, len(HALF)))
        await caller.send(HALF)
        await soon(lambda: not new.tasks)
        answer = await caller.end()
        assert (answer.status, b"body_too_large" in answer.body) == (413, True)
        assert (lanes(service)["new"], legacy.connections) == (("closed", 0), 0)


async def test_a_body_announced_as_too_large_reaches_no_backend(service: RunningService) -> None:
    async with taking() as new:
        await make(service, {"new": new.url, "legacy": new.url})
        caller = await calling(service, f"Content-Length: {LIMIT + 1}")
        await caller.send(HALF)
        assert (await asyncio.wait_for(caller.reader.readline(), PATIENCE_S)).split()[1] == b"413"
        assert new.connections == 0
        caller.writer.close()


async def test_who_never_ends_his_body_is_hung_up_on_after_his_answer(service: RunningService) -> None:
    async with taking(answers_after(1000, whole(status=b"403 No"))) as new:
        await make(service, {"new": new.url, "legacy": new.url})
        reader, writer = await opened(service)
        writer.write(written("POST /route/r HTTP/1.1", CHUNKED) + chunk(HALF))
        async with asyncio.timeout(PATIENCE_S):
            await reader.readuntil(b"}")
            with pytest.raises(ConnectionError):
                await send_for_ever(writer)


@pytest.mark.parametrize("framing", [ANNOUNCED, CHUNKED])
async def test_who_leaves_in_mid_body_takes_his_call_along_and_blames_nobody(
    service: RunningService, framing: str
) -> None:
    async with taking(only_reads) as new, taking() as legacy:
        await make(service, {"new": strict(new), "legacy": legacy.url}, deadline_ms=60_000)
        caller = await calling(service, framing)
        await caller.send(HALF)
        await soon(has(new, len(HALF)))
        caller.writer.close()
        await soon(lambda: not new.tasks)
        await soon(lambda: in_flight(service) == {"0.0"})
        assert (lanes(service)["new"], legacy.connections) == (("closed", 0), 0)


@pytest.mark.parametrize("status", [b"413 Too Large", b"401 Who", b"200 OK"])
async def test_an_answer_before_the_bodys_end_is_passed_on_and_its_connection_closed(
    service: RunningService, status: bytes
) -> None:
    async with taking(answers_after(1000, whole(b"early", status=status)), takes_all) as new:
        await make(service, {"new": new.url, "legacy": new.url}, profile="raw")
        reader, writer = await opened(service)
        writer.write(written("POST /route/r HTTP/1.1", ANNOUNCED) + HALF)
        async with asyncio.timeout(PATIENCE_S):
            head = await reader.readuntil(b"\r\n\r\n")
            assert (head.split()[1], await reader.readexactly(5)) == (status[:3], b"early")
            await soon(lambda: not new.tasks)
            writer.write(OTHER_HALF + written("POST /route/r HTTP/1.1", TO_THE_END, body=b"next"))
            after = await reader.read()
        writer.close()
    assert after.endswith(digest(b"next"))
    assert (new.connections, len(new.requests)) == (2, 2)


async def test_an_answer_in_pieces_and_its_body_may_be_on_their_way_at_once(service: RunningService) -> None:
    async def echoes(arriving: Arriving) -> None:
        await arriving.answer(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for size in (len(HALF), len(BODY)):
            await arriving.take(size)
            await arriving.answer(chunk(digest(arriving.body)))
        await arriving.answer(chunk(b""))

    async with taking(echoes) as new:
        await make(service, {"new": new.url, "legacy": new.url})
        caller = await calling(service)
        await caller.send(HALF)
        async with asyncio.timeout(PATIENCE_S):
            await caller.reader.readuntil(digest(HALF))
            await caller.send(OTHER_HALF)
            await caller.reader.readuntil(digest(BODY))
        caller.writer.close()


async def test_a_slow_caller_is_no_slow_backend(service: RunningService) -> None:
    async with taking() as new, taking() as legacy:
        sides = {"new": strict(new, timeout_ms=700), "legacy": legacy.url}
        await make(service, sides, deadline_ms=800)
        caller = await calling(service)
        for start in range(0, len(BODY), 100_000):
            await asyncio.sleep(0.2)
            await caller.send(BODY[start : start + 100_000])
        answer = await caller.end()
        assert (answer.status, answer.body, legacy.connections) == (200, digest(BODY), 0)
        assert lanes(service)["new"] == ("closed", 1)


async def test_a_backend_that_has_the_body_and_does_not_answer_is_late(service: RunningService) -> None:
    async with taking(only_reads) as new, taking() as legacy:
        sides = {"new": strict(new, timeout_ms=200), "legacy": legacy.url}
        await make(service, sides, deadline_ms=1000, fallback={"replay": "always"})
        caller = await calling(service)
        await caller.send(BODY)
        answer = await caller.end()
        assert (answer.status, answer.body) == (200, digest(BODY))
        assert "x-crossfade-fallback: timeout" in answer.head
        assert lanes(service)["new"][0] == "open"


async def test_a_body_that_stands_still_is_408_and_nobodys_fault(service: RunningService) -> None:
    async with taking(only_reads) as new:
        await make(service, {"new": strict(new), "legacy": new.url})
        caller = await calling(service)
        await caller.send(HALF)
        answer = await caller.answer()
        assert (answer.status, b"body_too_slow" in answer.body) == (408, True)
        await soon(lambda: not new.tasks)
        assert lanes(service)["new"] == ("closed", 0)


async def test_a_caller_who_asks_first_is_told_to_go_on(service: RunningService) -> None:
    async with taking() as new:
        await make(service, {"new": new.url, "legacy": new.url})
        caller = await calling(service, ANNOUNCED, "Expect: 100-continue")
        async with asyncio.timeout(PATIENCE_S):
            assert await caller.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await caller.send(BODY)
        assert (await caller.end()).body == digest(BODY)
    assert "expect" not in new.requests[0].head.lower()


async def test_a_connection_whose_upload_is_over_is_used_again(service: RunningService) -> None:
    async with taking() as new:
        await make(service, {"new": new.url, "legacy": new.url})
        for framing in (ANNOUNCED, CHUNKED):
            caller = await calling(service, framing)
            await caller.send(HALF)
            await soon(has(new, len(HALF)))
            await caller.send(OTHER_HALF)
            assert (await caller.end()).body == digest(BODY)
        assert new.connections == 1


async def test_two_hundred_uploads_at_once_arrive_as_they_were_sent(roomy: RunningService) -> None:
    def request(number: int) -> tuple[bytes, bytes]:
        body = random.Random(number).randbytes(1 << 20)
        if number % 2:
            return body, written("POST /route/r HTTP/1.1", TO_THE_END, body=body)
        head = written("POST /route/r HTTP/1.1", TO_THE_END, CHUNKED)
        return body, head + b"".join(chunk(body[at : at + 50_000]) for at in range(0, len(body), 50_000)) + chunk(b"")

    async def one(number: int) -> bool:
        body, sent = request(number)
        answer = await heard(roomy, sent, patience_s=60)
        return (answer.status, answer.body) == (200, digest(body))

    async with taking() as new:
        backend = {"url": new.url, "max_concurrency": 1000}
        await make(roomy, {"new": backend, "legacy": backend}, deadline_ms=60_000)
        assert all(await asyncio.gather(*(one(number) for number in range(200))))


async def test_a_backend_that_takes_nothing_stops_its_caller(roomy: RunningService) -> None:
    goes_on = asyncio.Event()

    async def waits(arriving: Arriving) -> None:
        await goes_on.wait()
        await takes_all(arriving)

    async with taking(waits) as new:
        await make(roomy, {"new": new.url, "legacy": new.url}, deadline_ms=60_000)
        caller = await calling(roomy, f"Content-Length: {LARGE}")
        sending = asyncio.create_task(caller.send(bytes(LARGE)))
        before = -1
        while before != (before := caller.writer.transport.get_write_buffer_size()):
            await asyncio.sleep(0.3)
        assert LARGE - before < LARGE / 2
        goes_on.set()
        await sending
        assert (await caller.end()).body == digest(bytes(LARGE))
