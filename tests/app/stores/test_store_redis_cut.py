import asyncio
from pathlib import Path

import uvloop

from app.stores.records import StoreUnavailableError
from app.stores.redis import RedisStore, redis_client
from tests.app.stores.live import EMPTY
from tests.chaos.proxy import Proxy, proxy_before
from tests.servers import redis_server

CUTS = 20


async def ask_until(store: RedisStore, over: asyncio.Event) -> int:
    """Ask again and again, and count what was in vain."""
    failures = 0
    while not over.is_set():
        try:
            await store.since("first", 0)
        except StoreUnavailableError:
            failures += 1
            await asyncio.sleep(0)
    return failures


async def cut_while_many_ask(store: RedisStore, line: Proxy) -> int:
    """Cut the line to Redis again and again under load; return how many questions were in vain."""
    over = asyncio.Event()
    asking = asyncio.gather(*(ask_until(store, over) for _ in range(10)))
    for _ in range(CUTS):
        await store.check()
        line.cut()
        await line.heal()
        while not await answers(store):
            await asyncio.sleep(0)
    over.set()
    return sum(await asking)


async def answers(store: RedisStore) -> bool:
    """Whether Redis can be asked at the moment."""
    try:
        await store.check()
    except StoreUnavailableError:
        return False
    return True


def test_however_a_connection_is_cut_the_state_is_said_to_be_unavailable(tmp_path: Path) -> None:
    async def cut() -> int:
        with redis_server(tmp_path) as server:
            async with proxy_before(server.port) as line, redis_client(f"redis://127.0.0.1:{line.port}/0") as client:
                store = RedisStore(client)
                await store.refill(EMPTY)
                return await cut_while_many_ask(store, line)

    assert uvloop.run(cut()) > 0


async def test_who_notices_that_the_line_was_cut_lets_go_of_all_connections_that_were_reset(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with proxy_before(server.port) as line, redis_client(f"redis://127.0.0.1:{line.port}/0") as client:
            store = RedisStore(client)
            await asyncio.gather(*(store.check() for _ in range(10)))
            line.cut()
            await line.heal()
            await answers(store)
            assert await asyncio.gather(*(answers(store) for _ in range(10))) == [True] * 10
