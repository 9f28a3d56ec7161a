"""Live states for the tests, with what does not matter filled in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

from app.stores.records import Snapshot
from app.stores.redis import RedisStore, redis_client
from tests.servers import OURS

EMPTY = Snapshot("first", 0, ())
SOON_S = 2.0
"""What must happen at once, on two busy cores, happens within this."""


def new_prefix() -> str:
    """Name a place in a Redis that others use too."""
    return f"{{{OURS}-{uuid4().hex}}}"


@asynccontextmanager
async def stores(
    url: str, count: int = 1, prefix: str = "{crossfade}", **options: Any
) -> AsyncIterator[list[RedisStore]]:
    """Open one state by several clients, as several processes would."""
    async with AsyncExitStack() as opened:
        clients = [await opened.enter_async_context(redis_client(url)) for _ in range(count)]
        yield [RedisStore(client, prefix, **options) for client in clients]


async def next_ring(rings: AsyncIterator[None]) -> None:
    """Wait for the next ring, which comes soon."""
    async with asyncio.timeout(SOON_S):
        await anext(rings)
