"""The one place that puts the service together."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import SecretStr

from app import opening
from app.alerts.desk import Desk
from app.announcing import announcing
from app.auth import digest_of
from app.background import running
from app.breaker_sync import BreakerSync, Hurry
from app.cached import CachedTraffic
from app.changes import Changes
from app.clock import Clock
from app.decision_ids import DecisionIds
from app.housekeeping.seen import Seen
from app.lanes import LaneBook
from app.logins import Logins
from app.measures.book import Book
from app.metrics import Metrics
from app.notices.sending import Notices
from app.ofrep.desk import Ofrep
from app.ofrep.streams import ChangeStreams
from app.opening import Ground, Outcomes
from app.quotas import Quotas
from app.refresh import Live, State
from app.rulesets import Rulesets
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
    ofrep: Ofrep
    rulesets: Rulesets
    draining: asyncio.Event
    seen: Seen
    logins: Logins = field(default_factory=Logins)


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
    lanes = LaneBook(metrics, random.random, clock.monotonic, hurry.add if hurry else None, book.count_opened)
    ids, sticky, draining = DecisionIds(), StickyTokens(), asyncio.Event()
    ofrep = Ofrep(settings, clock, random.random, metrics)
    signers = (ids, sticky, ofrep.tokens)
    admin, alert = (_digest(secret) for secret in (settings.admin_token, settings.alert_secret))
    live = Live(admin, lambda state: _watch(state, settings, lanes, metrics, signers, ofrep.streams), alert)
    async with AsyncExitStack() as stack:
        ground = Ground(settings, live, metrics, clock, stack)
        scrape = scrape_alone(metrics) if place is None else await stack.enter_async_context(among(place, metrics))
        send, shadow_send, notice_send = await opening.senders(ground, send)
        standing = Standing(clock, is_own=settings.redis_url is None)
        metrics.show_standing(lambda: standing.age_s, lambda: standing.last_contact)
        store, settle, memory = await opening.opened(ground, standing)
        sync = await opening.in_common(ground, lanes, hurry)
        outcomes = await opening.outcomes(ground, ids, book)
        seen = await opening.seen(ground, outcomes.kept)
        traffic = Traffic(live, lanes, send, metrics, clock, ids, sticky, seen)
        cached = CachedTraffic(traffic, await opening.places(ground), metrics, clock)
        quotas = Quotas(settings.open_calls_per_s)
        ledger = Ledger(memory, clock, random.random)
        agreed = outcomes.recorder.agreed
        shadows = await stack.enter_async_context(shadowing(live, lanes, shadow_send, ledger, agreed, metrics, clock))
        told = await opening.told(ground, notice_send, outcomes.kept)
        await opening.watch_stale(ground, store, outcomes.kept, told)
        announce = announcing(settings, told.notify)
        changes = Changes(store, live, settle, metrics, clock, announce)
        switch = Switch(store, live, settle, metrics, clock, announce)
        steered = await stack.enter_async_context(
            steering(live, lanes, changes, outcomes.kept, told.notify, metrics, clock)
        )
        alerts = await opening.alerts(ground, told, steered.roll_back, switch)
        await stack.enter_async_context(running(ofrep.streams.close_at(draining)))
        carrying = (traffic, cached, metrics, send, scrape, quotas, sync, shadows, ledger)
        judging = (outcomes, outcomes.kept, book, told, alerts, steered, ofrep)
        serving = (Rulesets(settings.flag_set), draining, seen)
        yield Services(settings, clock, store, live, standing, changes, switch, lanes, *carrying, *judging, *serving)


def _digest(secret: SecretStr | None) -> str | None:
    return None if secret is None else digest_of(secret.get_secret_value())


def _signing_key(state: State, settings: Settings) -> bytes | None:
    if settings.signing_key is not None:
        return key_of(settings.signing_key.get_secret_value())
    kept = state.signing.get(KEY_NAME)
    return key_of(kept.secret) if kept else None


class Signer(Protocol):
    """What signs with the key of the deployment."""

    def use(self, key: bytes | None) -> None:
        """Sign with this key of 32 bytes from now on."""


def _watch(
    state: State,
    settings: Settings,
    lanes: LaneBook,
    metrics: Metrics,
    signers: Sequence[Signer],
    streams: ChangeStreams,
) -> None:
    lanes.sync(state.routes)
    key = _signing_key(state, settings)
    for signer in signers:
        signer.use(key)
    streams.state_changed(state)
    documents = {
        Collection.FLAG: len(state.ruleset.living),
        Collection.ROUTE: len(state.routes),
        Collection.KILL: len(state.kills),
        Collection.TOKEN: len(state.records),
        Collection.ROLLOUT: len(state.rollouts),
        Collection.SEGMENT: len(state.segments),
    }
    metrics.show_rollouts(state.rollouts)
    counts = {collection.value: count for collection, count in documents.items()}
    metrics.show_state(state.ruleset.epoch, state.ruleset.revision, counts)
