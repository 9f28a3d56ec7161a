"""Connections are few, young and nobody's: none is left behind, whatever becomes of a call."""

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from app.backends import BackendClient
from app.backends.names import Names
from app.backends.pool import MAX_IDLE, Address, Pool, Trust
from routers.call import Call, SendError
from routers.causes import Cause
from routers.model import Backend
from routers.streams import close
from tests.app.conftest import Run
from tests.faulty import (
    HANGS,
    HANGS_AFTER_HEADERS,
    HANGS_IN_MID_ANSWER,
    OK,
    STREAM_HANGS,
    Do,
    Faulty,
    black_hole,
    faulty,
)

HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


def at(backend: Faulty) -> Address:
    """Return where a backend is."""
    host, _, port = backend.url.removeprefix("http://").partition(":")
    return Address(host, int(port), tls=False)


async def exchange(pool: Pool, backend: Faulty) -> None:
    """Ask a backend once, on an idle connection if there is one."""
    connection = pool.take(at(backend)) or await pool.dial(at(backend), 1.0)
    connection.ask(HEAD, b"", wants_body=True)
    await connection.begun()
    connection.take()
    pool.give_back(connection)


async def all_hung_up(*backends: Faulty) -> None:
    """Wait until no connection to any of the backends is open."""
    async with asyncio.timeout(5):
        while any(backend.open for backend in backends):
            await asyncio.sleep(0.005)


@asynccontextmanager
async def backends(count: int) -> AsyncIterator[list[Faulty]]:
    """Run so many backends that answer."""
    async with contextlib.AsyncExitStack() as stack:
        running: list[AbstractAsyncContextManager[Faulty]] = [faulty(OK) for _ in range(count)]
        yield [await stack.enter_async_context(each) for each in running]


def test_idle_connections_to_many_hosts_are_closed_in_time_and_forgotten(run: Run) -> None:
    async def scenario() -> None:
        pool = Pool(Trust(), keepalive_s=1.0)
        async with backends(12) as many:
            for backend in many:
                await asyncio.gather(*[exchange(pool, backend) for _ in range(3)])
            assert sum(backend.open for backend in many) == len(pool._open) == 36
            await all_hung_up(*many)
            while pool._idle or pool._open or pool._sweep is not None:
                await asyncio.sleep(0.005)
            # and it starts again
            await exchange(pool, many[0])
            assert len(pool._open) == 1
            await all_hung_up(*many)
        pool.close()

    run(scenario())


async def test_a_connection_in_use_is_not_closed_for_its_age() -> None:
    pool = Pool(Trust(), keepalive_s=0.1)
    async with faulty([0.3, *OK], OK) as slow, faulty(OK) as quick:
        await asyncio.gather(exchange(pool, slow), exchange(pool, quick))
        await exchange(pool, slow)
        assert slow.connections == 1
    pool.close()


async def test_of_more_idle_connections_than_are_kept_the_oldest_are_closed() -> None:
    pool = Pool(Trust())
    async with faulty(OK) as backend:
        more = [await pool.dial(at(backend), 1.0) for _ in range(MAX_IDLE + 3)]
        for connection in more:
            connection.ask(HEAD, b"", wants_body=True)
            await connection.begun()
            connection.take()
        for connection in more:
            pool.give_back(connection)
        while backend.open > MAX_IDLE:
            await asyncio.sleep(0.005)
        assert [connection.is_open for connection in more] == [False] * 3 + [True] * MAX_IDLE
        assert pool.take(at(backend)) is more[-1]
        pool.close()
        await all_hung_up(backend)


@pytest.mark.parametrize("turn", [HANGS, HANGS_AFTER_HEADERS, HANGS_IN_MID_ANSWER, [b"HTTP/1.1 200 OK\r\nx", Do.HANG]])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_cancelled_while_it_waits_leaves_no_connection_open(run: Run, turn: list[bytes], method: str) -> None:
    async def scenario() -> None:
        async with faulty(OK, turn, OK) as backend, BackendClient() as client:
            to, call = Backend(url=backend.url), Call(method, "/", [], b"x" * 100 if method == "POST" else b"")
            await client.send(to, call)
            backend.asked.clear()
            waiting = asyncio.create_task(client.send(to, call))
            await backend.asked.wait()
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.wait({waiting})
            assert waiting.cancelled()
            await all_hung_up(backend)
            assert client._pool._open == {}
            assert (await client.send(to, call)).body == b'{"from": "here"}'
            assert backend.connections == 2
        gc.collect()

    run(scenario())


def test_a_call_cancelled_in_the_midst_of_its_body_leaves_no_connection_open(run: Run) -> None:
    async def scenario() -> None:
        accepted, hung_up = asyncio.Event(), asyncio.Event()

        async def read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            accepted.set()
            with contextlib.suppress(ConnectionError):
                while await reader.read(1 << 16):
                    await asyncio.sleep(0.001)
            writer.close()
            hung_up.set()

        async with await asyncio.start_server(read_slowly, "127.0.0.1", 0) as server, BackendClient() as client:
            to = Backend(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            sending = asyncio.create_task(client.send(to, Call("POST", "/", [], b"x" * (64 << 20))))
            await accepted.wait()
            sending.cancel()
            await asyncio.wait({sending})
            await hung_up.wait()
            assert client._pool._open == {}
        gc.collect()

    run(scenario())


@pytest.mark.parametrize("waits", [True, False])
def test_a_stream_left_in_its_midst_leaves_no_connection_open(run: Run, waits: bool) -> None:
    async def scenario() -> None:
        async with faulty(STREAM_HANGS, OK) as backend, BackendClient() as client:
            to, call = Backend(url=backend.url), Call("GET", "/", [], b"")
            answer = await client.send(to, call)
            assert answer.rest is not None
            if waits:
                reading = asyncio.ensure_future(anext(answer.rest))
                await asyncio.sleep(0.01)
                reading.cancel()
                await asyncio.wait({reading})
            await close(answer.rest)
            await all_hung_up(backend)
            assert client._pool._open == {}
            assert [piece async for piece in answer.rest] == []
            assert (await client.send(to, call)).status == 200
        gc.collect()

    run(scenario())


def test_a_dial_that_is_cancelled_or_too_long_leaves_no_connection_open(run: Run) -> None:
    async def scenario() -> None:
        with black_hole() as gone:
            async with BackendClient() as client:
                calls = [
                    asyncio.create_task(client.send(Backend(url=gone, timeout_ms=limit), Call("GET", "/", [], b"")))
                    for limit in (100, None)
                ]
                with pytest.raises(SendError) as caught:
                    await calls[0]
                assert caught.value.cause is Cause.CONNECT
                calls[1].cancel()
                await asyncio.wait(calls)
                assert calls[1].cancelled()
                assert client._pool._open == {}
        gc.collect()

    run(scenario())


def test_a_backend_that_accepts_and_hangs_up_never_keeps_a_call_waiting(run: Run) -> None:
    async def scenario() -> None:
        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server, BackendClient() as client:
            to = Backend(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            for _ in range(50):
                with pytest.raises(SendError) as caught:
                    await client.send(to, Call("POST", "/", [], b"{}"))
                assert caught.value.cause in {Cause.CONNECT, Cause.INTERRUPTED}
            while client._pool._open:
                await asyncio.sleep(0.005)

    run(scenario())


async def test_a_dial_that_is_done_when_the_client_has_been_left_is_none() -> None:
    async with faulty(OK) as backend:
        pool = Pool(Trust())
        dialling = asyncio.create_task(pool.dial(at(backend), 1.0))
        await asyncio.sleep(0)
        pool.close()
        [result] = await asyncio.gather(dialling, return_exceptions=True)
        assert isinstance(result, SendError | asyncio.CancelledError)
        await all_hung_up(backend)
        assert pool._open == {}


async def test_a_safe_call_loses_at_most_the_idle_connections_and_an_unsafe_one_is_sent_once() -> None:
    async with faulty(OK, [Do.CLOSE], *[[Do.CLOSE]] * 5) as backend, BackendClient() as client:
        to = Backend(url=backend.url)
        for method, body, requests in (("GET", b"", 2), ("GET", b"{}", 1), ("POST", b"", 1)):
            backend.requests.clear()
            await client.send(to, Call("GET", "/", [], b""))
            with pytest.raises(SendError) as caught:
                await client.send(to, Call(method, "/", [], body))
            assert caught.value.cause is Cause.INTERRUPTED
            assert len(backend.requests) == 1 + requests


class Slow(asyncio.SelectorEventLoop):
    """A loop whose lookups take until `answer`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.answer = asyncio.Event()

    async def getaddrinfo(self, host: str, port: int, **_: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:  # type: ignore[override]  # a loop's is typed by argument
        self.asked.append(host)
        await self.answer.wait()
        if host == "unknown":
            raise socket.gaierror("no such host")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def test_one_lookup_serves_all_who_wait_for_it_and_outlives_those_who_leave() -> None:
    async def scenario() -> None:
        names = Names(loop)
        waiting = [asyncio.create_task(names.find("silent", 80)) for _ in range(20)]
        failing = asyncio.create_task(names.find("unknown", 80))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting[0].cancel()
        failing.cancel()
        await asyncio.sleep(0)
        assert sorted(loop.asked) == ["silent", "unknown"]
        loop.answer.set()
        assert {len(each) for each in await asyncio.gather(*waiting[1:])} == {1}
        await asyncio.gather(failing, return_exceptions=True)
        await names.find("silent", 80)
        assert loop.asked.count("silent") == 2
        with pytest.raises(socket.gaierror):
            await names.find("unknown", 80)
        loop.answer.clear()
        left = asyncio.create_task(names.find("silent", 80))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        names.close()
        await asyncio.wait({left})
        assert left.cancelled()

    loop = Slow()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scenario())
    gc.collect()


def test_a_loop_that_was_held_up_does_not_take_its_own_delay_for_the_backends(run: Run) -> None:
    async def scenario() -> None:
        pool = Pool(Trust())
        async with faulty(OK) as backend:
            dialing = asyncio.ensure_future(pool.dial(at(backend), 0.05))
            await asyncio.sleep(0)
            time.sleep(0.1)  # noqa: ASYNC251 - it is to hold the loop up
            assert (await dialing).is_open
        pool.close()

    run(scenario())
