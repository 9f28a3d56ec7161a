"""Redis filled again from the journal because somebody asks for it, not because a process found it empty."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from app.stores.database import random_epoch
from app.stores.engines import engine_of
from app.stores.journal import SqlJournal
from app.stores.records import Mark, Snapshot
from app.stores.redis import RedisStore, redis_client


class Found(NamedTuple):
    """What there is before a restore: `kept` is the journal's newest place, `live` that of Redis, None for nothing.

    `documents` are those the journal would give back, `missing` how many changes of Redis's epoch the journal does
    not have.
    """

    documents: int
    kept: Mark | None
    changed_at: datetime | None
    live: Mark | None
    missing: int


async def look(redis_url: str, database_url: str) -> Found:
    """Tell what a restore would do, and write nothing. Raises StoreAddressError, StoreUnavailableError."""
    async with _stores(redis_url, database_url) as (redis, journal):
        live = await redis.mark()
        latest = await journal.latest()
        missing = live.revision - await journal.position(live.epoch) if live else 0
        kept = Mark(latest.epoch, latest.revision) if latest else None
        documents = len(latest.documents) if latest else 0
        return Found(documents, kept, await journal.changed_at(), live, max(missing, 0))


async def restore(redis_url: str, database_url: str, over: Mark | None) -> str | None:
    """Fill Redis from the journal and return the new epoch; None, and nothing done, unless it is empty or at `over`.

    Raises StoreAddressError, StoreUnavailableError.
    """
    async with _stores(redis_url, database_url) as (redis, journal):
        latest = await journal.latest()
        epoch = random_epoch()
        state = Snapshot(epoch, 0, latest.documents if latest else ())
        return epoch if await redis.refill(state, await journal.gone(), over=over) else None


@asynccontextmanager
async def _stores(redis_url: str, database_url: str) -> AsyncIterator[tuple[RedisStore, SqlJournal]]:
    async with redis_client(redis_url) as client, SqlJournal(engine_of(database_url)) as journal:
        yield RedisStore(client), journal
