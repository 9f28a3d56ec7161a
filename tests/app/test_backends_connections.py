import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.backends import BackendClient
from routers.call import Answer, Call, SendError
from routers.causes import Cause
from routers.model import Backend
from routers.streams import close
from tests.faulty import CHUNKED, CLOSES_BEFORE_ANSWERING, HANGS, OK, Do, Faulty, chunk, faulty, whole


@pytest.fixture
async def client() -> AsyncIterator[BackendClient]:
    """Enter a client."""
    async with BackendClient() as each:
        yield each


async def ask(client: BackendClient, backend: Faulty, method: str = "GET", body: bytes = b"") -> Answer:
    """Send a call and return its answer."""
    return await client.send(Backend(url=backend.url), Call(method, "/query", [], body))


async def test_connections_are_used_again(client: BackendClient) -> None:
    async with faulty(OK) as backend:
        for _ in range(5):
            await ask(client, backend, "POST", b"{}")
        assert backend.connections == 1


async def test_callers_in_turn_on_few_connections_are_all_answered(client: BackendClient) -> None:
    """A connection is free as soon as its answer is complete, which is before the one who asked has woken up."""
    async with faulty(OK) as backend, asyncio.timeout(20):

        async def ask_often() -> None:
            for _ in range(50):
                assert (await ask(client, backend)).status == 200

        await asyncio.gather(*[ask_often() for _ in range(16)])
        assert len(backend.requests) == 800
        assert backend.connections <= 16


async def test_a_stream_read_to_its_end_gives_its_connection_back_and_another_closes_it(client: BackendClient) -> None:
    async with faulty([CHUNKED + chunk(b"a"), 0.01, chunk(b"b") + chunk(b"")]) as backend:
        for _ in range(2):
            answer = await ask(client, backend)
            assert answer.rest is not None
            assert [piece async for piece in answer.rest] == [b"b"]
        assert backend.connections == 1
        await close((await ask(client, backend)).rest)
        await ask(client, backend)
        assert backend.connections == 2


async def test_a_connection_that_is_reset_after_its_stream_has_ended_troubles_nobody(client: BackendClient) -> None:
    troubles: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
    async with faulty([CHUNKED + chunk(b"a"), 0.01, chunk(b"b") + chunk(b""), 0.01, Do.RESET]) as backend:
        for _ in range(2):
            answer = await ask(client, backend)
            assert answer.rest is not None
            assert [piece async for piece in answer.rest] == [b"b"]
            await asyncio.sleep(0.05)
        assert backend.connections == 2
    gc.collect()
    assert troubles == []


@pytest.mark.parametrize("way", [Do.CLOSE, Do.RESET])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_safe_call_that_loses_the_race_against_an_idle_close_is_sent_again(
    client: BackendClient, method: str, way: Do
) -> None:
    async with faulty(OK, [way], [whole(b"")]) as backend:
        await ask(client, backend)
        assert (await ask(client, backend, method)).status == 200
        assert len(backend.requests) == 3
        assert backend.connections == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_call_that_may_have_an_effect_is_never_sent_again(client: BackendClient, method: str) -> None:
    async with faulty(OK, CLOSES_BEFORE_ANSWERING) as backend:
        await ask(client, backend)
        with pytest.raises(SendError) as caught:
            await ask(client, backend, method)
        assert caught.value.cause is Cause.INTERRUPTED
        assert len(backend.requests) == 2


async def test_a_safe_call_is_sent_but_once_when_its_connection_was_new(client: BackendClient) -> None:
    async with faulty(CLOSES_BEFORE_ANSWERING) as backend:
        with pytest.raises(SendError) as caught:
            await ask(client, backend)
        assert caught.value.cause is Cause.INTERRUPTED
        assert len(backend.requests) == 1


async def test_however_many_connections_are_stale_the_last_try_is_on_a_new_one(client: BackendClient) -> None:
    async with faulty(*[[0.05, *OK]] * 4, *[CLOSES_BEFORE_ANSWERING] * 4, OK) as backend:
        await asyncio.gather(*[ask(client, backend) for _ in range(4)])
        assert backend.connections == 4
        assert (await ask(client, backend)).status == 200
        assert backend.connections == 5


async def test_an_answer_nobody_asked_for_is_never_given_to_the_next_caller(client: BackendClient) -> None:
    async with faulty([whole(b"mine"), 0.01, whole(b"an intruder")], [whole(b"yours")]) as backend:
        assert (await ask(client, backend)).body == b"mine"
        await asyncio.sleep(0.05)
        assert (await ask(client, backend)).body == b"yours"
        assert backend.connections == 2


async def test_the_body_of_an_answer_to_head_is_never_given_to_the_next_caller(client: BackendClient) -> None:
    async with faulty([whole(b"", length=99), 0.01, whole(b"an intruder")], [whole(b"yours")]) as backend:
        await ask(client, backend, "HEAD")
        await asyncio.sleep(0.05)
        assert (await ask(client, backend)).body == b"yours"


async def test_a_cancelled_call_leaves_no_connection_behind_for_others(client: BackendClient) -> None:
    async with faulty(HANGS, [whole(b"yours")]) as backend:
        call = asyncio.create_task(ask(client, backend))
        await backend.asked.wait()
        call.cancel()
        await asyncio.wait({call})
        assert (await ask(client, backend)).body == b"yours"
        assert backend.connections == 2


async def test_an_answer_that_comes_before_the_body_was_read_is_an_answer(client: BackendClient) -> None:
    hung_up = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(whole(b"{}", status=b"413 Content Too Large"))
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        hung_up.set()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        backend = Backend(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        answer = await client.send(backend, Call("POST", "/", [], b"x" * (8 << 20)))
        assert answer.status == 413
        await hung_up.wait()


async def test_leaving_the_client_closes_what_is_idle_and_what_is_on_its_way() -> None:
    async with faulty(OK) as quick, faulty(HANGS) as slow:
        async with BackendClient() as client:
            await ask(client, quick)
            call = asyncio.create_task(ask(client, slow))
            await slow.asked.wait()
        with pytest.raises(SendError):
            await call
        gc.collect()
