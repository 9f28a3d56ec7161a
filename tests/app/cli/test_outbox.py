"""Answers leave together and in order, one write each, and no caller's connection harms another's answer."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.server import ServerState

from app.cli.outbox import MAX_ANSWERS, MAX_BYTES, HeldTransport, Outbox, held_protocol
from tests.app.conftest import Run

Events = list[tuple[str, bytes]]
App = Callable[[Any, Any, Any], Awaitable[None]]
LARGE = MAX_BYTES // 4


class Wire(asyncio.Transport):
    """A transport that notes what is done to it, and like uvloop's takes no write once it is closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.events: Events = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.closed:
            raise RuntimeError("the handler is closed")
        self.events.append(("write", bytes(data)))

    def close(self) -> None:
        self.closed = True
        self.events.append(("close", b""))

    def abort(self) -> None:
        self.closed = True
        self.events.append(("abort", b""))

    def is_closing(self) -> bool:
        return self.closed


async def turn() -> None:
    """Let the loop go round."""
    await asyncio.sleep(0)


async def test_what_one_turn_writes_leaves_in_one_write_at_its_end() -> None:
    wire = Wire()
    held = HeldTransport(wire, Outbox())
    for part in (b"head ", bytearray(b"body "), memoryview(b"end"), b""):
        held.write(part)
    assert wire.events == []
    await turn()
    assert wire.events == [("write", b"head body end")]
    await turn()
    assert len(wire.events) == 1


async def test_all_that_wait_leave_at_the_same_turn() -> None:
    outbox, wires = Outbox(), [Wire() for _ in range(5)]
    for wire in wires:
        HeldTransport(wire, outbox).write(b"answer")
    await turn()
    assert [wire.events for wire in wires] == [[("write", b"answer")]] * 5


@pytest.mark.parametrize("count", [MAX_ANSWERS - 1, MAX_ANSWERS, MAX_ANSWERS + 1, 3 * MAX_ANSWERS])
async def test_many_answers_do_not_wait_for_each_other_and_none_is_left_behind(count: int) -> None:
    outbox, wires = Outbox(), [Wire() for _ in range(count)]
    for wire in wires:
        HeldTransport(wire, outbox).write(b"answer")
    left_at_once = sum(bool(wire.events) for wire in wires)
    assert left_at_once == count // MAX_ANSWERS * MAX_ANSWERS
    await turn()
    assert [wire.events for wire in wires] == [[("write", b"answer")]] * count


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=8), st.booleans(), st.booleans())))
def test_every_connection_gets_its_bytes_in_order_whatever_the_others_do(
    writes: list[tuple[int, bytes, bool, bool]],
) -> None:
    async def scenario() -> None:
        outbox, wires = Outbox(), [Wire() for _ in range(4)]
        transports = [HeldTransport(wire, outbox) for wire in wires]
        for which, data, is_large, ends_turn in writes:
            transports[which].write(data * LARGE if is_large else data)
            if ends_turn:
                await turn()
        await turn()
        for which, wire in enumerate(wires):
            expected = [data * LARGE if is_large else data for to, data, is_large, _ in writes if to == which]
            assert b"".join(data for _, data in wire.events) == b"".join(expected)

    asyncio.run(scenario())


async def test_what_was_written_before_a_close_goes_before_it_and_an_abort_drops_it() -> None:
    outbox, closed, aborted = Outbox(), Wire(), Wire()
    for wire in (closed, aborted):
        HeldTransport(wire, outbox).write(b"before")
    for transport in list(outbox._waiting):
        (transport.close if transport._below is closed else transport.abort)()
    await turn()
    assert closed.events == [("write", b"before"), ("close", b"")]
    assert aborted.events == [("abort", b"")]


async def test_a_connection_that_is_lost_before_the_turn_ends_costs_no_other_its_answer() -> None:
    outbox, gone, other = Outbox(), Wire(), Wire()
    for wire in (gone, other):
        HeldTransport(wire, outbox).write(b"answer")
    gone.closed = True
    await turn()
    assert gone.events == []
    assert other.events == [("write", b"answer")]


async def test_more_than_is_held_leaves_at_once() -> None:
    wire = Wire()
    held = HeldTransport(wire, Outbox())
    held.write(b"h")
    held.write(b"x" * MAX_BYTES)
    assert wire.events == [("write", b"h" + b"x" * MAX_BYTES)]
    held.write(b"next")
    await turn()
    assert wire.events[1:] == [("write", b"next")]


# through the web server


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[tuple[str, int]]:
    """Serve an application as the service is served, and give its address."""
    config = Config(app, http=held_protocol(32_768, 30.0), lifespan="off", log_config=None, access_log=False)
    config.load()
    protocol: Any = config.http_protocol_class
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        await asyncio.gather(*state.tasks, return_exceptions=True)


async def small(_: Any, __: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_a_small_answer_is_one_write(run: Run) -> None:
    async def scenario() -> None:
        config = Config(small, http=held_protocol(32_768, 30.0), lifespan="off", log_config=None, access_log=False)
        config.load()
        protocol: Any = config.http_protocol_class
        wire, connection = Wire(), protocol(config, ServerState(), {})
        connection.connection_made(wire)
        for number in (1, 2):
            connection.data_received(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            while len(wire.events) < number:
                await turn()
        assert [kind for kind, _ in wire.events] == ["write", "write"]
        assert all(data.endswith(b"\r\n\r\nok") for _, data in wire.events)
        connection.connection_lost(None)

    run(scenario())


def test_requests_written_side_by_side_are_answered_in_order(
    run: Run,
) -> None:
    async def echo(scope: Any, _: Any, send: Any) -> None:
        path = scope["path"].encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(path))]})
        await send({"type": "http.response.body", "body": path})

    async def scenario() -> None:
        async with serving(echo) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(50)))
            for number in range(50):
                await reader.readuntil(b"\r\n\r\n")
                expected = b"/%d" % number
                assert await reader.readexactly(len(expected)) == expected
            writer.close()

    run(scenario())


def test_more_callers_than_wait_for_each_other_are_all_answered(
    run: Run,
) -> None:
    together = asyncio.Event()

    async def at_once(scope: Any, receive: Any, send: Any) -> None:
        await together.wait()
        await small(scope, receive, send)

    async def scenario() -> None:
        async with serving(at_once) as address:
            callers = [await asyncio.open_connection(*address) for _ in range(2 * MAX_ANSWERS)]
            for _, writer in callers:
                writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                await writer.drain()
            together.set()
            for reader, writer in callers:
                assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
                writer.close()

    run(scenario())


def test_the_first_piece_of_a_stream_arrives_although_nothing_follows_it(
    run: Run,
) -> None:
    async def stream(_: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"now", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async def scenario() -> None:
        async with serving(stream) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await reader.readuntil(b"3\r\nnow\r\n")).startswith(b"HTTP/1.1 200 OK")
            writer.close()

    run(scenario())


def test_a_long_answer_waits_for_a_caller_who_does_not_read_and_then_is_whole(
    run: Run,
) -> None:
    sent = 0
    piece, pieces = b"x" * 50_000, 600

    async def long(_: Any, __: Any, send: Any) -> None:
        nonlocal sent
        length = b"%d" % (pieces * len(piece))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for number in range(pieces):
            await send({"type": "http.response.body", "body": piece, "more_body": number < pieces - 1})
            sent += 1
            await turn()

    async def scenario() -> None:
        async with serving(long) as address:
            reader, writer = await asyncio.open_connection(*address, limit=1000)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            before = -1
            while sent > before:
                before = sent
                await asyncio.sleep(0.05)
            # what the kernel holds of one connection is megabytes, and this answer is 30
            assert sent < pieces
            assert len(await reader.readexactly(pieces * len(piece))) == pieces * len(piece)
            writer.close()

    run(scenario())


def test_a_caller_who_hangs_up_harms_no_other(run: Run) -> None:
    troubles: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        async with serving(small) as address:
            stayer = await asyncio.open_connection(*address)
            for _ in range(50):
                leaver = socket.create_connection(address)
                leaver.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                leaver.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 3)
                leaver.close()
                stayer[1].write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                assert (await stayer[0].readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
            stayer[1].close()
        assert troubles == []

    run(scenario())
