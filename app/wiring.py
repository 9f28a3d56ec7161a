"""The one place that names concrete classes and puts them together."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog

from app.backends import BackendClient
from app.background import running
from app.beginning import remember
from app.changes import Changes, Settle
from app.clock import Clock
from app.decision_ids import DecisionIds
from app.follow import Follower
from app.keeping import Keeper
from app.kill_sync import KillSync
from app.lanes import LaneBook
from app.logins import Logins
from app.metrics import Metrics
from app.outcomes.attribution import Attributor
from app.outcomes.pipeline import Pipeline
from app.outcomes.recording import Recorder
from app.outcomes.retention import Retention
from app.quotas import Quotas
from app.refresh import Live, State
from app.settings import Settings
from app.siblings import Place, Scrape, among, scrape_alone
from app.signing import KEY_NAME, key_of
from app.standing import Standing
from app.stores.engines import Engine, engine_of, outcomes_engine_of, outcomes_file_in
from app.stores.fleet import FleetStore
from app.stores.journal import SqlJournal
from app.stores.last_good import LastGood
from app.stores.outcomes import SqlOutcomes
from app.stores.records import Collection, Entry, Store, StoreUnavailableError
from app.stores.redis import RedisStore, redis_client
from app.stores.sql import SqlStore
from app.stores.sqlite import outcomes_sqlite_engine, shared_sqlite_engine, sqlite_engine
from app.switch import Switch
from app.traffic import Traffic
from routers.call import Send

log = structlog.get_logger("crossfade.start")


class Outcomes(NamedTuple):
    """What becomes of reports and recorded calls: attributed, on their way, and kept."""

    attributor: Attributor
    pipeline: Pipeline
    recorder: Recorder
    kept: SqlOutcomes


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
    metrics: Metrics
    send: Send
    scrape: Scrape
    quotas: Quotas
    outcomes: Outcomes
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
    lanes = LaneBook(metrics, random.random, clock.monotonic)
    ids = DecisionIds()
    live = Live(_admin_digest(settings), lambda state: _watch(state, settings, lanes, metrics, ids))
    async with AsyncExitStack() as stack:
        scrape = scrape_alone(metrics) if place is None else await stack.enter_async_context(among(place, metrics))
        send = send or (await stack.enter_async_context(BackendClient())).send
        standing = Standing(clock, is_own=settings.redis_url is None)
        metrics.show_standing(lambda: standing.age_s, lambda: standing.last_contact)
        store, settle = await _opened(settings, live, standing, clock, stack)
        changes = Changes(store, live, settle, metrics, clock)
        switch = Switch(store, live, settle, metrics, clock)
        traffic = Traffic(live, lanes, send, metrics, clock, ids)
        quotas = Quotas(settings.open_calls_per_s)
        outcomes = await _outcomes(settings, live, ids, metrics, clock, stack)
        parts = (changes, switch, lanes, traffic, metrics, send, scrape, quotas, outcomes)
        yield Services(settings, clock, store, live, standing, *parts)


async def _opened(
    settings: Settings, live: Live, standing: Standing, clock: Clock, stack: AsyncExitStack
) -> tuple[Store, Settle]:
    """Open the store that the settings name and put its state in force."""
    if settings.redis_url is None:
        if settings.database_url is not None:
            log.warning(
                "CROSSFADE_DATABASE_URL is not used: it is the journal of a fleet, and CROSSFADE_REDIS_URL is unset"
            )
        embedded = await stack.enter_async_context(SqlStore(sqlite_engine(settings.data_dir)))
        live.load(await embedded.load())

        async def settle(entries: Sequence[Entry]) -> None:
            live.apply(entries)

        return embedded, settle
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
    return fleet, follower.settle


def _journal_engine(settings: Settings) -> Engine:
    if settings.database_url is None:
        return shared_sqlite_engine(settings.data_dir / "journal.db")
    return engine_of(settings.database_url.get_secret_value())


async def _outcomes(
    settings: Settings, live: Live, ids: DecisionIds, metrics: Metrics, clock: Clock, stack: AsyncExitStack
) -> Outcomes:
    """Open what keeps outcomes; what it has accepted is written before it is closed."""
    store = await stack.enter_async_context(SqlOutcomes(_outcomes_engine(settings), may_be_away=True))
    await stack.enter_async_context(running(Retention(store, settings, clock, random.random).run()))
    pipeline = await stack.enter_async_context(Pipeline(store, settings, metrics, clock))
    recorder = Recorder(pipeline, ids, metrics, clock)
    return Outcomes(Attributor(live, ids, clock, settings), pipeline, recorder, store)


def _outcomes_engine(settings: Settings) -> Engine:
    if settings.redis_url is None or settings.database_url is None:
        return outcomes_sqlite_engine(outcomes_file_in(settings.data_dir))
    return outcomes_engine_of(settings.database_url.get_secret_value())


def _admin_digest(settings: Settings) -> str | None:
    if settings.admin_token is None:
        return None
    return hashlib.sha256(settings.admin_token.get_secret_value().encode()).hexdigest()


def _signing_key(state: State, settings: Settings) -> bytes | None:
    if settings.signing_key is not None:
        return key_of(settings.signing_key.get_secret_value())
    kept = state.signing.get(KEY_NAME)
    return key_of(kept.secret) if kept else None


def _watch(state: State, settings: Settings, lanes: LaneBook, metrics: Metrics, ids: DecisionIds) -> None:
    lanes.sync(state.routes)
    ids.use(_signing_key(state, settings))
    documents = {
        Collection.FLAG: len(state.ruleset.living),
        Collection.ROUTE: len(state.routes),
        Collection.KILL: len(state.kills),
        Collection.TOKEN: len(state.records),
    }
    counts = {collection.value: count for collection, count in documents.items()}
    metrics.show_state(state.ruleset.epoch, state.ruleset.revision, counts)
