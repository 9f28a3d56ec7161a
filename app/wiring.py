"""The one place that puts the service together."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from pydantic import SecretStr

from app import opening
from app.alerts.desk import Desk
from app.auth import digest_of
from app.backends import BackendClient, Trust
from app.breaker_sync import BreakerSync, Hurry
from app.cached import CachedTraffic
from app.changes import Changes
from app.clock import Clock
from app.decision_ids import DecisionIds
from app.lanes import LaneBook
from app.logins import Logins
from app.measures.book import Book
from app.metrics import Metrics
from app.notices.sending import Notices
from app.opening import Ground, Outcomes
from app.quotas import Quotas
from app.refresh import Live, State
from app.settings import Settings
from app.shadows.calls import Shadows
from app.shadows.ledger import Ledger
from app.shadows.opening import shadowing
from app.siblings import Place, Scrape, among, scrape_alone
from app.signing import KEY_NAME, key_of
from app.standing import Standing
from app.steering.opening import Steering, steering
from app.sticky_tokens import StickyTokens
from app.stores.aftermath import Aftermath
from app.stores.records import Collection, Store
from app.switch import Switch
from app.traffic import Traffic
from routers.call import Send


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
    outcomes: Outcomes
    aftermath: Aftermath
    measures: Book
    notices: Notices
    alerts: Desk
    steering: Steering
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
    book = Book(metrics, clock)
    hurries = None if hurry is None else hurry.add
    lanes = LaneBook(metrics, random.random, clock.monotonic, hurries, book.count_opened)
    ids, sticky = DecisionIds(), StickyTokens()
    admin, alert = (_digest(secret) for secret in (settings.admin_token, settings.alert_secret))
    live = Live(admin, lambda state: _watch(state, settings, lanes, metrics, ids, sticky), alert)
    async with AsyncExitStack() as stack:
        ground = Ground(settings, live, metrics, clock, stack)
        scrape = scrape_alone(metrics) if place is None else await stack.enter_async_context(among(place, metrics))
        trust = Trust()
        notice_send = send or (await stack.enter_async_context(BackendClient(trust))).send
        shadow_send = send or (await stack.enter_async_context(BackendClient(trust))).send
        send = send or (await stack.enter_async_context(BackendClient(trust))).send
        standing = Standing(clock, is_own=settings.redis_url is None)
        metrics.show_standing(lambda: standing.age_s, lambda: standing.last_contact)
        store, settle, memory = await opening.opened(ground, standing)
        sync = await opening.in_common(ground, lanes, hurry)
        changes = Changes(store, live, settle, metrics, clock)
        switch = Switch(store, live, settle, metrics, clock)
        traffic = Traffic(live, lanes, send, metrics, clock, ids, sticky)
        cached = CachedTraffic(traffic, await opening.places(ground), metrics, clock)
        quotas = Quotas(settings.open_calls_per_s)
        ledger = Ledger(memory, clock)
        outcomes = await opening.outcomes(ground, ids, book)
        agreed = outcomes.recorder.agreed
        shadows = await stack.enter_async_context(shadowing(live, lanes, shadow_send, ledger, agreed, metrics, clock))
        told = await opening.told(ground, notice_send, outcomes.kept)
        steered = await stack.enter_async_context(
            steering(live, lanes, changes, outcomes.kept, told.notify, metrics, clock)
        )
        alerts = await opening.alerts(ground, told, steered.roll_back, switch)
        carrying = (traffic, cached, metrics, send, scrape, quotas, sync, shadows, ledger)
        judging = (outcomes, outcomes.kept, book, told, alerts, steered)
        yield Services(settings, clock, store, live, standing, changes, switch, lanes, *carrying, *judging)


def _digest(secret: SecretStr | None) -> str | None:
    return None if secret is None else digest_of(secret.get_secret_value())


def _signing_key(state: State, settings: Settings) -> bytes | None:
    if settings.signing_key is not None:
        return key_of(settings.signing_key.get_secret_value())
    kept = state.signing.get(KEY_NAME)
    return key_of(kept.secret) if kept else None


def _watch(
    state: State, settings: Settings, lanes: LaneBook, metrics: Metrics, ids: DecisionIds, sticky: StickyTokens
) -> None:
    lanes.sync(state.routes)
    key = _signing_key(state, settings)
    ids.use(key)
    sticky.use(key)
    documents = {
        Collection.FLAG: len(state.ruleset.living),
        Collection.ROUTE: len(state.routes),
        Collection.SEGMENT: len(state.segments),
        Collection.KILL: len(state.kills),
        Collection.TOKEN: len(state.records),
        Collection.ROLLOUT: len(state.rollouts),
        Collection.SEGMENT: len(state.segments),
    }
    metrics.show_rollouts(state.rollouts)
    counts = {collection.value: count for collection, count in documents.items()}
    metrics.show_state(state.ruleset.epoch, state.ruleset.revision, counts)
