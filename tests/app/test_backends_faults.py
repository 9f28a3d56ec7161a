"""Real backends that refuse, hang, die in mid-answer and answer nonsense, through the client and the dispatcher."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from app.backends import BackendClient
from routers.attempts import Dispatched, failure_status
from routers.call import Call, SendError
from routers.causes import Cause
from routers.dispatch import dispatch
from routers.lanes import Lane
from tests.app.conftest import Run
from tests.faulty import (
    CLOSES_BEFORE_ANSWERING,
    CLOSES_IN_MID_ANSWER,
    CLOSES_IN_MID_HEADERS,
    DRIPS,
    ERROR,
    GARBAGE,
    GARBAGE_JSON,
    HANGS,
    HANGS_AFTER_HEADERS,
    HANGS_IN_MID_ANSWER,
    OVERLOADED,
    RESETS_BEFORE_ANSWERING,
    RESETS_IN_MID_ANSWER,
    SSE,
    STREAM,
    STREAM_CLOSES,
    STREAM_HANGS,
    STREAM_RESETS,
    STREAM_TURNS_TO_GARBAGE,
    SWITCHES,
    Faulty,
    Turn,
    black_hole,
    chunk,
    closed_port,
    faulty,
    whole,
)
from tests.routers.scripted import a_route, both, lanes_of

NEW_MS = 600
"""Half of it is for connecting, which a busy machine may take longer for than a quiet one."""

LEGACY: Turn = [whole(b'{"from": "legacy"}')]
FAULTS: dict[str, tuple[Turn, Cause]] = {
    "hangs": (HANGS, Cause.TIMEOUT),
    "hangs after headers": (HANGS_AFTER_HEADERS, Cause.TIMEOUT),
    "hangs in mid-answer": (HANGS_IN_MID_ANSWER, Cause.TIMEOUT),
    "closes before answering": (CLOSES_BEFORE_ANSWERING, Cause.INTERRUPTED),
    "resets before answering": (RESETS_BEFORE_ANSWERING, Cause.INTERRUPTED),
    "closes in mid-headers": (CLOSES_IN_MID_HEADERS, Cause.INTERRUPTED),
    "closes in mid-answer": (CLOSES_IN_MID_ANSWER, Cause.INTERRUPTED),
    "resets in mid-answer": (RESETS_IN_MID_ANSWER, Cause.INTERRUPTED),
    "500": (ERROR, Cause.STATUS),
    "429": (OVERLOADED, Cause.STATUS),
    "garbage": (GARBAGE, Cause.GARBAGE),
    "garbage JSON": (GARBAGE_JSON, Cause.GARBAGE),
    "101": (SWITCHES, Cause.GARBAGE),
    "endless header": ([b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000 + b"\r\n\r\n"], Cause.GARBAGE),
    "too many headers": ([whole(b"", *[b"x-%d: 1" % each for each in range(300)])], Cause.GARBAGE),
    "two lengths": ([whole(b"ab", b"content-length: 1")], Cause.GARBAGE),
}
BREAKS: dict[str, tuple[Turn, Cause]] = {
    "resets": (STREAM_RESETS, Cause.INTERRUPTED),
    "closes": (STREAM_CLOSES, Cause.INTERRUPTED),
    "hangs": (STREAM_HANGS, Cause.TIMEOUT),
    "turns to garbage": (STREAM_TURNS_TO_GARBAGE, Cause.GARBAGE),
}


@dataclass
class World:
    """Two backends on the network, and the lanes to them."""

    client: BackendClient
    new: Faulty | str
    legacy: Faulty | str
    lanes: dict[str, Lane]

    async def carry(self, method: str = "POST", **changes: Any) -> tuple[Dispatched, float]:
        """Return what came of a call that should be answered within 2 s, and the seconds it took."""
        limits = {"deadline_ms": 2000, "idle_timeout_ms": 150, "profile": "rag", "fallback": {"replay": "always"}}
        sides = {
            name: {"url": side if isinstance(side, str) else side.url, "timeout_ms": limit_ms}
            for name, side, limit_ms in (("new", self.new, NEW_MS), ("legacy", self.legacy, None))
        }
        route = a_route(**(limits | sides | changes))
        self.lanes = self.lanes or lanes_of(route)
        call = Call(method, "/query", [(b"content-type", b"application/json")], b'{"q": 1}')
        clock = asyncio.get_running_loop().time
        began = clock()
        result = await dispatch(route, both(), call, self.lanes, self.client.send, clock)
        return result, clock() - began


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_new_is_answered_by_legacy_in_time(run: Run, fault: str) -> None:
    async def scenario() -> None:
        turn, cause = FAULTS[fault]
        async with faulty(turn) as new, faulty(LEGACY) as legacy, BackendClient() as client:
            result, took_s = await (world := World(client, new, legacy, {})).carry()
            assert result.backend == "legacy"
            assert result.answer is not None
            assert result.answer.body == b'{"from": "legacy"}'
            assert [attempt.cause for attempt in result.attempts] == [cause, None]
            assert took_s < 2.0
            assert len(new.requests) == len(legacy.requests) == 1
            assert [lane.in_flight for lane in world.lanes.values()] == [0, 0]

    run(scenario())


@pytest.mark.parametrize("url", ["", "http://nowhere.invalid", "http://a..b:1"])
def test_a_backend_that_cannot_be_reached_has_seen_nothing(run: Run, url: str) -> None:
    async def scenario() -> None:
        async with faulty(LEGACY) as legacy, BackendClient() as client:
            never = {"fallback": {"replay": "never"}}
            result, _ = await World(client, url or closed_port(), legacy, {}).carry("POST", **never)
            assert result.backend == "legacy"
            assert [attempt.cause for attempt in result.attempts] == [Cause.CONNECT, None]

    run(scenario())


def test_a_host_that_swallows_connections_has_seen_nothing(run: Run) -> None:
    async def scenario() -> None:
        with black_hole() as gone:
            async with faulty(LEGACY) as legacy, BackendClient() as client:
                result, took_s = await World(client, gone, legacy, {}).carry("POST", fallback={"replay": "never"})
                assert result.backend == "legacy"
                assert [attempt.cause for attempt in result.attempts] == [Cause.CONNECT, None]
                assert took_s < 1.5

    run(scenario())


async def test_a_backend_that_does_not_speak_tls_has_seen_nothing() -> None:
    def speak_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak_plainly, "127.0.0.1", 0) as plain:
        url = f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}"
        async with faulty(LEGACY) as legacy, BackendClient() as client:
            result, _ = await World(client, url, legacy, {}).carry("POST", fallback={"replay": "never"})
            assert result.backend == "legacy"
            assert result.attempts[0].cause is Cause.CONNECT


@pytest.mark.parametrize("first", FAULTS)
async def test_when_both_fail_both_are_listed(first: str) -> None:
    turn, cause = FAULTS[first]
    async with faulty(turn) as new, faulty(CLOSES_BEFORE_ANSWERING) as legacy, BackendClient() as client:
        result, took_s = await World(client, new, legacy, {}).carry()
        assert result.answer is None
        assert [(a.backend, a.cause) for a in result.attempts] == [("new", cause), ("legacy", Cause.INTERRUPTED)]
        assert failure_status(result.attempts) == 502
        assert took_s < 2.0


async def test_when_both_hang_the_deadline_holds() -> None:
    async with faulty(HANGS) as both_hang, BackendClient() as client:
        world = World(client, both_hang, both_hang, {})
        result, took_s = await world.carry(deadline_ms=1000)
        assert failure_status(result.attempts) == 504
        assert 1.0 <= took_s < 2.5
        assert both_hang.connections == 2


async def test_a_slow_drip_is_an_answer_if_it_ends_in_time() -> None:
    async with faulty(DRIPS) as new, faulty(LEGACY) as legacy, BackendClient() as client:
        result, _ = await World(client, new, legacy, {}).carry(profile="raw")
        assert result.backend == "new"
        assert result.answer is not None
        assert result.answer.body == b"drips"


@pytest.mark.parametrize("turn", [STREAM, [SSE + chunk(b"one two "), 0.01, chunk(b"three"), 0.01, chunk(b"")]])
async def test_a_stream_is_passed_on_piece_by_piece(turn: Turn) -> None:
    async with faulty(turn) as new, faulty(LEGACY) as legacy, BackendClient() as client:
        world = World(client, new, legacy, {})
        result, _ = await world.carry()
        assert result.answer is not None
        assert result.answer.rest is not None
        assert world.lanes["new"].in_flight == 1
        pieces = [result.answer.body] + [piece async for piece in result.answer.rest]
        assert b"".join(pieces) == b"one two three"
        assert len(pieces) > 1
        assert world.lanes["new"].in_flight == 0


@pytest.mark.parametrize("fault", BREAKS)
def test_a_stream_that_breaks_surfaces_and_is_a_failure(run: Run, fault: str) -> None:
    async def scenario() -> None:
        turn, cause = BREAKS[fault]
        async with faulty(turn) as new, faulty(LEGACY) as legacy, BackendClient() as client:
            world = World(client, new, legacy, {})
            result, _ = await world.carry()
            assert result.backend == "new"
            assert result.answer is not None
            assert result.answer.rest is not None
            with pytest.raises(SendError) as caught:
                _ = [piece async for piece in result.answer.rest]
            assert caught.value.cause is cause
            assert world.lanes["new"].in_flight == 0
            assert world.lanes["new"].breaker.status(asyncio.get_running_loop().time()).failures == 1
            assert legacy.requests == []

    run(scenario())


@pytest.mark.parametrize("fault", ["hangs", "hangs after headers", "hangs in mid-answer"])
async def test_a_caller_who_leaves_frees_the_connection_and_the_lane(fault: str) -> None:
    async with faulty(FAULTS[fault][0]) as new, faulty(LEGACY) as legacy, BackendClient() as client:
        world = World(client, new, legacy, {})
        caller = asyncio.create_task(world.carry(new={"url": new.url}))
        await new.asked.wait()
        caller.cancel()
        await asyncio.wait({caller})
        assert caller.cancelled()
        assert world.lanes["new"].in_flight == 0
        assert legacy.requests == []
