"""The one place that names concrete classes and puts them together."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog

from app.answers import Answers, AnswersHere
from app.backends import BackendClient
from app.background import running
from app.beginning import remember
from app.breaker_sync import BreakerSync, Hurry
from app.cached import CachedTraffic
from app.changes import Changes, Settle
from app.clock import Clock
from app.follow import Follower
from app.keeping import Keeper
from app.kill_sync import KillSync
from app.lanes import LaneBook
from app.logins import Logins
from app.metrics import Metrics
from app.quotas import Quotas
from app.refresh import Live, State
from app.settings import Settings
from app.shadows.calls import Shadows
from app.shadows.ledger import Ledger
from app.shadows.opening import shadowing
from app.siblings import Place, Scrape, among, scrape_alone
from app.standing import Standing
from app.stores.comparisons import Comparisons
from app.stores.engines import Engine, engine_of
from app.stores.fleet import FleetStore
from app.stores.journal import SqlJournal
from app.stores.last_good import LastGood
from app.stores.records import Collection, Entry, Store, StoreUnavailableError
from app.stores.redis import RedisStore, redis_client
from app.stores.redis_answers import PATIENCE_S, AnswersInRedis
from app.stores.redis_breakers import RedisBreakers
from app.stores.redis_link import RedisLink
from app.stores.sql import SqlStore
from app.stores.sqlite import shared_sqlite_engine, sqlite_engine
from app.switch import Switch
from app.traffic import Traffic
from routers.cache.policy import Place as CachePlace
from routers.call import Send

log = structlog.get_logger("crossfade.start")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need."""

    settings: Settings
    clock: Clock
    store: Store
    live: Live
    standing: Standing
    changes: Changes
    switch: Switch
    lanes: LaneBook
    traffic: Traffic
    cached: CachedTraffic
    metrics: Metrics
    send: Send
    scrape: Scrape
    quotas: Quotas
    breaker_sync: BreakerSync | None
    shadows: Shadows
    comparisons: Ledger
    logins: Logins = field(default_factory=Logins)
    draining: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def wire(
    settings: Settings, *, send: Send | None = None, clock: Clock | None = None, place: Place | None = None
) -> AsyncIterator[Services]:
    """Open the service without a web server; `send` and `clock` replace the world in tests.

    Without Redis a fleet's process opens all the same, with the state it remembers or with none (`Live.is_known`).
    A worker has a place among those of the same parent, which give their metrics together.

    Raises StoreUnavailableError when the store of the process's own cannot be read.
    """
    clock = clock or Clock()
    metrics = Metrics()
    hurry = None if settings.redis_url is None else Hurry()
    lanes = LaneBook(metrics, random.random, clock.monotonic, None if hurry is None else hurry.add)
    live = Live(_admin_digest(settings), lambda state: _watch(state, lanes, metrics))
    async with AsyncExitStack() as stack:
        scrape = scrape_alone(metrics) if place is None else await stack.enter_async_context(among(place, metrics))
        shadow_send = send or (await stack.enter_async_context(BackendClient())).send
        send = send or (await stack.enter_async_context(BackendClient())).send
        standing = Standing(clock, is_own=settings.redis_url is None)
        metrics.show_standing(lambda: standing.age_s, lambda: standing.last_contact)
        store, settle, memory = await _opened(settings, live, standing, clock, stack)
        sync = await _in_common(settings, lanes, hurry, metrics, clock, stack)
        changes = Changes(store, live, settle, metrics, clock)
        switch = Switch(store, live, settle, metrics, clock)
        traffic = Traffic(live, lanes, send, metrics, clock)
        cached = CachedTraffic(traffic, await _places(settings, clock, stack), metrics, clock)
        ledger = Ledger(memory, clock)
        shadows = await stack.enter_async_context(shadowing(live, lanes, shadow_send, ledger, metrics, clock))
        yield Services(
            settings,
            clock,
            store,
            live,
            standing,
            changes,
            switch,
            lanes,
            traffic,
            cached,
            metrics,
            send,
            scrape,
            Quotas(settings.open_calls_per_s),
            sync,
            shadows,
            ledger,
        )


async def _opened(
    settings: Settings, live: Live, standing: Standing, clock: Clock, stack: AsyncExitStack
) -> tuple[Store, Settle, Comparisons]:
    """Open the store that the settings name and put its state in force; what is counted goes to its SQL part."""
    if settings.redis_url is None:
        if settings.database_url is not None:
            log.warning(
                "CROSSFADE_DATABASE_URL is not used: it is the journal of a fleet, and CROSSFADE_REDIS_URL is unset"
            )
        embedded = await stack.enter_async_context(SqlStore(sqlite_engine(settings.data_dir)))
        live.load(await embedded.load())

        async def settle(entries: Sequence[Entry]) -> None:
            live.apply(entries)

        return embedded, settle, embedded
    client = await stack.enter_async_context(redis_client(settings.redis_url.get_secret_value()))
    journal = await stack.enter_async_context(SqlJournal(_journal_engine(settings), may_be_away=True))
    fleet = FleetStore(RedisStore(client), journal)
    last_good = LastGood(settings.data_dir / "last-good.json")
    follower = Follower(fleet, live, standing, random.random)
    try:
        await follower.catch_up()
    except StoreUnavailableError as error:
        log.warning("the store is away", why=str(error))
        await remember(live, standing, journal.latest, last_good)
    kills = KillSync(fleet, live, follower.catch_up, follower.settle, random.random)
    await kills.read()
    await stack.enter_async_context(running(kills.run()))
    await stack.enter_async_context(running(follower.run()))
    await stack.enter_async_context(running(Keeper(live, standing, last_good, clock).run()))
    return fleet, follower.settle, journal


async def _places(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Mapping[CachePlace, Answers]:
    """Say where answers are kept: without a Redis all in the process, which is the only one then."""
    here = AnswersHere(settings.cache_bytes)
    if settings.redis_url is None:
        return {CachePlace.PROCESS: here, CachePlace.REDIS: here}
    # a client of its own, so that no write of a document waits behind answers
    client = await stack.enter_async_context(redis_client(settings.redis_url.get_secret_value()))
    return {CachePlace.PROCESS: here, CachePlace.REDIS: AnswersInRedis(RedisLink(client, PATIENCE_S), clock.monotonic)}


async def _in_common(
    settings: Settings, lanes: LaneBook, hurry: Hurry | None, metrics: Metrics, clock: Clock, stack: AsyncExitStack
) -> BreakerSync | None:
    """Have breakers in common with the fleet, if there is one, from before the first call."""
    if settings.redis_url is None or hurry is None:
        return None
    client = await stack.enter_async_context(redis_client(settings.redis_url.get_secret_value()))
    store = RedisBreakers(RedisLink(client))
    sync = BreakerSync(store, lanes.shared, hurry, clock.monotonic, random.random, metrics)
    await sync.exchange_all()
    await stack.enter_async_context(running(sync.run()))
    return sync


def _journal_engine(settings: Settings) -> Engine:
    if settings.database_url is None:
        return shared_sqlite_engine(settings.data_dir / "journal.db")
    return engine_of(settings.database_url.get_secret_value())


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
    counts = {collection.value: count for collection, count in documents.items()}
    metrics.show_state(state.ruleset.epoch, state.ruleset.revision, counts)
