"""What the settings name, opened: stores, caches, what is kept in common; closed again in the reverse order."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import NamedTuple

import structlog

from app.alerts.acting import Acting, RollBack
from app.alerts.desk import Desk
from app.alerts.keeping import Keeping
from app.answers import Answers, AnswersHere
from app.backends import BackendClient, Trust
from app.background import running
from app.beginning import remember
from app.breaker_sync import BreakerSync, Hurry
from app.changes import Settle
from app.clock import Clock
from app.decision_ids import DecisionIds
from app.follow import Follower
from app.housekeeping.seen import Seen
from app.housekeeping.watch import Kept, StaleWatch
from app.keeping import Keeper
from app.kill_sync import KillSync
from app.lanes import LaneBook
from app.measures.book import Book
from app.measures.carrying import MeasureCarrier
from app.metrics import Metrics
from app.notices.address import address_of
from app.notices.model import NoticeKind
from app.notices.sending import Notices
from app.outcomes.attribution import Attributor
from app.outcomes.pipeline import Pipeline
from app.outcomes.recording import Recorder
from app.outcomes.retention import Retention
from app.refresh import Live
from app.settings import Settings
from app.standing import Standing
from app.stores.aftermath import Aftermath
from app.stores.comparisons import Comparisons
from app.stores.engines import Engine, engine_of, is_postgres, outcomes_engine_of, outcomes_file_in
from app.stores.fleet import FleetStore
from app.stores.journal import SqlJournal
from app.stores.last_good import LastGood
from app.stores.records import Entry, Store, StoreUnavailableError
from app.stores.redis import RedisStore, redis_client
from app.stores.redis_answers import PATIENCE_S, AnswersInRedis
from app.stores.redis_breakers import RedisBreakers
from app.stores.redis_link import RedisLink
from app.stores.sql import SqlStore
from app.stores.sqlite import outcomes_sqlite_engine, shared_sqlite_engine, sqlite_engine
from app.switch import Switch
from routers.cache.policy import Place as CachePlace
from routers.call import Send

log = structlog.get_logger("crossfade.start")


class Ground(NamedTuple):
    """What everything stands on: what is opened is closed with the stack."""

    settings: Settings
    live: Live
    metrics: Metrics
    clock: Clock
    stack: AsyncExitStack


class Outcomes(NamedTuple):
    """What becomes of reports and recorded calls: attributed, on their way, kept, and counted."""

    attributor: Attributor
    pipeline: Pipeline
    recorder: Recorder
    kept: Aftermath
    carrier: MeasureCarrier


async def senders(ground: Ground, send: Send | None) -> Sequence[Send]:
    """Open a client for calls, one for shadows and one for notices, so that none waits for another's connections."""
    if send is not None:
        return (send, send, send)
    trust = Trust()
    return [(await ground.stack.enter_async_context(BackendClient(trust))).send for _ in range(3)]


async def opened(ground: Ground, standing: Standing) -> tuple[Store, Settle, Comparisons]:
    """Open the store that the settings name and put its state in force; what is counted goes to its SQL part.

    Raises StoreUnavailableError when the store of the process's own cannot be read.
    """
    settings, live, _, clock, stack = ground
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
    kills = KillSync(fleet, live, follower.catch_up, follower.settle, random.random)

    async def begin() -> None:
        try:
            await follower.catch_up()
        except StoreUnavailableError as error:
            log.warning("the store is away", why=str(error))
            await remember(live, standing, journal.latest, last_good)

    # at the same time, so that a journal that is silent is waited for once
    await asyncio.gather(begin(), kills.read())
    await stack.enter_async_context(running(kills.run()))
    await stack.enter_async_context(running(follower.run()))
    await stack.enter_async_context(running(Keeper(live, standing, last_good, clock).run()))
    return fleet, follower.settle, journal


async def places(ground: Ground) -> Mapping[CachePlace, Answers]:
    """Say where answers are kept: without a Redis all in the process, which is the only one then."""
    settings, _, _, clock, stack = ground
    here = AnswersHere(settings.cache_bytes)
    if settings.redis_url is None:
        return {CachePlace.PROCESS: here, CachePlace.REDIS: here}
    # a client of its own, so that no write of a document waits behind answers
    client = await stack.enter_async_context(redis_client(settings.redis_url.get_secret_value()))
    return {CachePlace.PROCESS: here, CachePlace.REDIS: AnswersInRedis(RedisLink(client, PATIENCE_S), clock.monotonic)}


async def in_common(ground: Ground, lanes: LaneBook, hurry: Hurry | None) -> BreakerSync | None:
    """Have breakers in common with the fleet, if there is one, from before the first call."""
    settings, _, metrics, clock, stack = ground
    if settings.redis_url is None or hurry is None:
        return None
    client = await stack.enter_async_context(redis_client(settings.redis_url.get_secret_value()))
    store = RedisBreakers(RedisLink(client))
    sync = BreakerSync(store, lanes.shared, hurry, clock.monotonic, random.random, metrics)
    await sync.exchange_all()
    await stack.enter_async_context(running(sync.run()))
    return sync


async def outcomes(ground: Ground, ids: DecisionIds, book: Book) -> Outcomes:
    """Open what keeps outcomes and measures; what was accepted and counted is written before it is closed."""
    settings, live, metrics, clock, stack = ground
    # of one database with the journal, which was asked just now: a silent one would be waited for twice
    is_asked = not _are_beside_the_journal(settings)
    store = Aftermath(_outcomes_engine(settings), may_be_away=True, is_asked=is_asked)
    await stack.enter_async_context(store)
    await stack.enter_async_context(running(Retention(store, live, settings, clock, random.random).run()))
    carrier = MeasureCarrier(book, store, random.random)
    stack.push_async_callback(carrier.close)
    await stack.enter_async_context(running(carrier.run()))
    pipeline = await stack.enter_async_context(Pipeline(store, settings, metrics, clock))
    recorder = Recorder(live, pipeline, ids, metrics, clock)
    return Outcomes(Attributor(live, ids, clock, settings), pipeline, recorder, store, carrier)


async def seen(ground: Ground, store: Aftermath) -> Seen:
    """Open what notes which flags are evaluated; what was noted is kept before the store is closed."""
    _, live, _, clock, stack = ground
    noting = Seen(live, store, clock, random.random)
    stack.push_async_callback(noting.close)
    await stack.enter_async_context(running(noting.run()))
    return noting


async def watch_stale(ground: Ground, store: Store, kept: Aftermath, told: Notices) -> None:
    """Have somebody look which flags get stale, and tell it if changes are told."""
    settings, live, _, clock, stack = ground
    tell = partial(told.notify, NoticeKind.STALE) if settings.notice_changes else None
    watch = StaleWatch(live, Kept(store, kept), tell, clock, random.random)
    await stack.enter_async_context(running(watch.run()))


async def told(ground: Ground, send: Send, store: Aftermath) -> Notices:
    """Open what tells others what happens here; a receiver that is away holds nobody up, nor does the database."""
    settings, _, metrics, clock, stack = ground
    url, secret = settings.notice_url, settings.notice_secret
    key = None if secret is None else secret.get_secret_value()
    address = None if url is None else address_of(url.get_secret_value(), key)
    return await stack.enter_async_context(Notices(address, send, store, metrics, clock, random.random))


async def alerts(ground: Ground, notices: Notices, roll_back: RollBack, switch: Switch) -> Desk:
    """Open where alerts come in."""
    _, live, metrics, clock, stack = ground
    keeping = Keeping(notices.store)
    await stack.enter_async_context(running(keeping.run()))
    acting = Acting(live, switch, roll_back, notices.notify, clock)
    return Desk(acting, keeping, notices.store, metrics, clock)


def _journal_engine(settings: Settings) -> Engine:
    if settings.database_url is None:
        return shared_sqlite_engine(settings.data_dir / "journal.db")
    return engine_of(settings.database_url.get_secret_value())


def _are_beside_the_journal(settings: Settings) -> bool:
    """Say whether outcomes are in one database with the journal."""
    if settings.redis_url is None or settings.database_url is None:
        return False
    return is_postgres(settings.database_url.get_secret_value())


def _outcomes_engine(settings: Settings) -> Engine:
    if settings.redis_url is None or settings.database_url is None:
        return outcomes_sqlite_engine(outcomes_file_in(settings.data_dir))
    return outcomes_engine_of(settings.database_url.get_secret_value())
