import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from app.stores.records import EmptyError, StoreUnavailableError
from app.stores.redis import RedisStore, redis_client
from tests.app.stores.changes import change
from tests.app.stores.live import EMPTY, next_ring, stores
from tests.servers import RedisServer, free_port, redis_server

ASKS: list[Callable[[RedisStore], Awaitable[object]]] = [
    lambda store: store.load(),
    lambda store: store.write([change("a", 0)]),
    lambda store: store.since("first", 0),
    lambda store: anext(store.rings()),
    lambda store: store.refill(EMPTY),
    lambda store: store.check(),
]
LONGEST_S = 2.5
"""A time limit of one second, and a busy machine."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis that keeps nothing."""
    with redis_server(tmp_path) as running:
        yield running


async def what_is_said(ask: Awaitable[object]) -> str:
    """Ask in vain, which does not take long."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError) as refused:
        await ask
    assert time.monotonic() - began < LONGEST_S
    return str(refused.value)


@pytest.mark.parametrize("ask", ASKS)
async def test_where_no_redis_listens_the_error_says_where_that_is(
    ask: Callable[[RedisStore], Awaitable[object]],
) -> None:
    port = free_port()
    async with stores(f"redis://:secret@127.0.0.1:{port}") as (live,):
        said = await what_is_said(ask(live))
    assert said.startswith(f"Redis failed: Error 111 connecting to 127.0.0.1:{port}.")
    assert "secret" not in said


async def test_a_redis_that_restarts_empty_is_refilled_by_the_same_objects(server: RedisServer) -> None:
    async with stores(server.url, 2) as (one, other):
        await one.refill(EMPTY)
        await asyncio.gather(one.write([change("a", 0)]), other.write([change("b", 0)]))
        await asyncio.to_thread(server.kill)
        for ask in ASKS:
            assert (await what_is_said(ask(one))).startswith("Redis failed: ")
        await asyncio.to_thread(server.start)
        assert await other.load() is None
        with pytest.raises(EmptyError):
            await one.write([change("a", 1)])
        assert await one.refill(EMPTY)
        (entry,) = await other.write([change("a", 0)])
        assert await one.since("first", 0) == [entry]


async def test_a_redis_that_restarts_with_its_data_goes_on_where_it_was(tmp_path: Path) -> None:
    options = ("--appendonly", "yes", "--appendfsync", "always")
    with redis_server(tmp_path, *options) as server:
        async with stores(server.url, 2) as (one, other):
            await one.refill(EMPTY)
            wrote = [*await one.write([change("a", 0, "1.0")]), *await other.write([change("a", 1), change("b", 0)])]
            before = await one.load()
            await asyncio.to_thread(server.kill)
            assert (await what_is_said(other.write([change("c", 0)]))).startswith("Redis failed: ")
            await asyncio.to_thread(server.start)
            assert await one.load() == before
            wrote += await other.write([change("a", 2, None)])
            assert await one.since("first", 0) == wrote
            assert [entry.revision for entry in wrote] == [1, 2, 3, 4]


async def test_a_killed_redis_ends_the_listening_at_once_and_it_can_begin_again(server: RedisServer) -> None:
    async with stores(server.url) as (live,):
        async with aclosing(live.rings()) as rings:
            await next_ring(rings)
            listening = asyncio.ensure_future(anext(rings))
            await asyncio.to_thread(server.kill)
            assert (await what_is_said(listening)).startswith("Redis failed: ")
        await asyncio.to_thread(server.start)
        async with aclosing(live.rings()) as rings:
            await next_ring(rings)


async def test_a_cut_connection_ends_the_listening_at_once(server: RedisServer) -> None:
    async with stores(server.url, 2) as (one, other), aclosing(one.rings()) as rings:
        await next_ring(rings)
        listening = asyncio.ensure_future(anext(rings))
        await other._client.client_kill_filter(_type="pubsub")
        assert (await what_is_said(listening)).startswith("Redis failed: ")


async def test_a_frozen_redis_is_given_up_and_asked_again_when_it_goes_on(server: RedisServer) -> None:
    async with stores(server.url, silence_s=0.1) as (live,), aclosing(live.rings()) as rings:
        await live.refill(EMPTY)
        await next_ring(rings)
        server.send(signal.SIGSTOP)
        said = await asyncio.gather(
            what_is_said(anext(rings)), what_is_said(live.load()), what_is_said(live.write([change("a", 0)]))
        )
        server.send(signal.SIGCONT)
        assert said[0] == "Redis failed: it does not answer any more"
        assert said[1:] == ["Redis failed: no answer within 1 s"] * 2
        await live.check()
        state = await live.load()
        assert state is not None
        assert len(await live.since("first", 0) or []) == state.revision == len(state.documents)


async def test_silence_is_no_loss_while_redis_answers(server: RedisServer) -> None:
    async with stores(server.url, 2, silence_s=0.01) as (one, other), aclosing(one.rings()) as rings:
        await one.refill(EMPTY)
        await next_ring(rings)
        listening = asyncio.ensure_future(anext(rings))
        done, _ = await asyncio.wait([listening], timeout=0.2)
        assert not done
        await other.write([change("a", 0)])
        await listening


async def test_a_redis_that_wants_another_password_is_unavailable(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "right") as server:
        async with stores(server.url.replace("//", "//:wrong@")) as (live,):
            said = await what_is_said(live.check())
            assert "password" in said
            assert "wrong" not in said
        async with stores(server.url.replace("//", "//:right@")) as (live,):
            await live.check()


async def test_a_full_redis_refuses_whole_writes_and_still_tells_what_it_has(server: RedisServer) -> None:
    async with stores(server.url) as (live,):
        await live.refill(EMPTY)
        await live.write([change("a", 0)])
        before = await live.load()
        await live._client.config_set("maxmemory", 1)
        said = await what_is_said(live.write([change("b", 0), change("a", 1)]))
        assert "command not allowed when used memory > 'maxmemory'" in said
        assert "running script" not in said
        assert await live.load() == before
        await live._client.config_set("maxmemory", 0)
        assert len(await live.write([change("b", 0), change("a", 1)])) == 2


async def test_a_cancelled_write_leaves_a_connection_that_works(server: RedisServer) -> None:
    async with stores(server.url) as (live,):
        await live.refill(EMPTY)
        for moment in range(20):
            writing = asyncio.create_task(live.write([change(f"{moment}", 0), change(f"{moment} too", 0)]))
            for _ in range(moment):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])
            await live.check()
        state = await live.load()
        assert state is not None
        assert len(state.documents) == state.revision == len(await live.since("first", 0) or [])
        assert state.revision % 2 == 0


async def test_who_goes_on_and_on_can_be_cancelled_at_any_moment(server: RedisServer) -> None:
    async def load_for_ever() -> None:
        while True:
            await live.load()

    async with stores(server.url) as (live,):
        await live.refill(EMPTY)
        for moment in range(100):
            loading = asyncio.create_task(load_for_ever())
            for _ in range(moment):
                await asyncio.sleep(0)
            loading.cancel()
            assert await asyncio.wait([loading], timeout=1) == ({loading}, set())
            assert loading.cancelled()


async def test_a_closed_client_holds_no_connection(server: RedisServer) -> None:
    async with stores(server.url) as (live,), aclosing(live.rings()) as rings:
        await next_ring(rings)
        await asyncio.gather(*(live.load() for _ in range(5)))
    async with redis_client(server.url) as client:
        assert len(await client.client_list()) == 1
