"""The one place that names concrete classes and puts them together."""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from app.backends import BackendClient
from app.changes import Changes, Settle
from app.clock import Clock
from app.follow import Follower
from app.lanes import LaneBook
from app.logins import Logins
from app.metrics import Metrics
from app.refresh import Live, State
from app.settings import Settings
from app.siblings import Place, Scrape, among, scrape_alone
from app.stores.engines import Engine, engine_of
from app.stores.fleet import FleetStore
from app.stores.journal import SqlJournal
from app.stores.records import Collection, Entry, Store
from app.stores.redis import RedisStore, redis_client
from app.stores.sql import SqlStore
from app.stores.sqlite import shared_sqlite_engine, sqlite_engine
from app.traffic import Traffic
from routers.call import Send


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need."""

    settings: Settings
    clock: Clock
    store: Store
    live: Live
    changes: Changes
    lanes: LaneBook
    traffic: Traffic
    metrics: Metrics
    send: Send
    scrape: Scrape
    logins: Logins = field(default_factory=Logins)
    draining: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def wire(
    settings: Settings, *, send: Send | None = None, clock: Clock | None = None, place: Place | None = None
) -> AsyncIterator[Services]:
    """Open the service without a web server; `send` and `clock` replace the world in tests.

    A worker has a place among those of the same parent, which give their metrics together.

    Raises StoreUnavailableError when the state cannot be read.
    """
    clock = clock or Clock()
    metrics = Metrics()
    lanes = LaneBook(metrics, random.random, clock.monotonic)
    live = Live(_admin_digest(settings), lambda state: _watch(state, lanes, metrics))
    async with AsyncExitStack() as stack:
        scrape = scrape_alone(metrics) if place is None else await stack.enter_async_context(among(place, metrics))
        send = send or (await stack.enter_async_context(BackendClient())).send
        store, settle = await _opened(settings, live, stack)
        changes = Changes(store, live, settle, metrics, clock)
        traffic = Traffic(live, lanes, send, metrics, clock)
        yield Services(settings, clock, store, live, changes, lanes, traffic, metrics, send, scrape)


async def _opened(settings: Settings, live: Live, stack: AsyncExitStack) -> tuple[Store, Settle]:
    """Open the store that the settings name and put its state in force."""
    if settings.redis_url is None:
        embedded = await stack.enter_async_context(SqlStore(sqlite_engine(settings.data_dir)))
        live.load(await embedded.load())

        async def settle(entries: Sequence[Entry]) -> None:
            live.apply(entries)

        return embedded, settle
    client = await stack.enter_async_context(redis_client(settings.redis_url.get_secret_value()))
    journal = await stack.enter_async_context(SqlJournal(_journal_engine(settings), may_be_away=True))
    fleet = FleetStore(RedisStore(client), journal)
    live.load(await fleet.load())
    follower = Follower(fleet, live, random.random)
    await stack.enter_async_context(_running(follower.run()))
    return fleet, follower.settle


def _journal_engine(settings: Settings) -> Engine:
    if settings.database_url is None:
        return shared_sqlite_engine(settings.data_dir / "journal.db")
    return engine_of(settings.database_url.get_secret_value())


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _admin_digest(settings: Settings) -> str | None:
    if settings.admin_token is None:
        return None
    return hashlib.sha256(settings.admin_token.get_secret_value().encode()).hexdigest()


def _watch(state: State, lanes: LaneBook, metrics: Metrics) -> None:
    lanes.sync(state.routes)
    documents = {
        Collection.FLAG: len(state.ruleset.living),
        Collection.ROUTE: len(state.routes),
        Collection.KILL: len(state.kills),
        Collection.TOKEN: len(state.records),
    }
    metrics.show_state(state.ruleset.revision, {collection.value: count for collection, count in documents.items()})
