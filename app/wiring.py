"""The one place that names concrete classes and puts them together."""

import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from app.backends import BackendClient
from app.changes import Changes
from app.clock import Clock
from app.lanes import LaneBook
from app.metrics import Metrics
from app.refresh import Live, State
from app.settings import Settings
from app.stores.records import Collection, Store
from app.stores.sql import SqlStore
from app.stores.sqlite import sqlite_engine
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


@asynccontextmanager
async def wire(settings: Settings, *, send: Send | None = None, clock: Clock | None = None) -> AsyncIterator[Services]:
    """Open the service without a web server; `send` and `clock` replace the world in tests.

    Raises StoreUnavailableError when the state cannot be read.
    """
    clock = clock or Clock()
    metrics = Metrics()
    lanes = LaneBook(metrics, random.random, clock.monotonic)
    live = Live(_admin_digest(settings), lambda state: _watch(state, lanes, metrics))
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SqlStore(sqlite_engine(settings.data_dir)))
        send = send or (await stack.enter_async_context(BackendClient())).send
        live.load(await store.load())
        changes = Changes(store, live, metrics, clock)
        traffic = Traffic(live, lanes, send, metrics, clock)
        yield Services(settings, clock, store, live, changes, lanes, traffic, metrics, send)


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
