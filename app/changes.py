"""Every write: checked against the other documents, kept, put in force and told."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from pydantic import BaseModel

from app import durability
from app.auth import TokenRecord
from app.checks import check_fit, check_kill, check_route_kill
from app.clock import Clock
from app.errors import Code, ProblemError
from app.metrics import Metrics
from app.refresh import Applied, Live, State, write_document
from app.signing import SigningKey
from app.stores.records import Action, Change, Collection, Entry, StaleError, Store, StoreUnavailableError
from flags.model import Flag
from flags.segment import Segment
from rollouts.model import Rollout
from routers.model import Route

log = structlog.get_logger("crossfade.audit")


class By(NamedTuple):
    """Who writes, and why."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document as it shall be, or None to delete it; `expected` is the version it stands on, None for any."""

    collection: Collection
    key: str
    document: BaseModel | None
    expected: int | None


AT_A_TIME = 20
"""Acknowledged changes that are told before others get their turn."""

Settle = Callable[[Sequence[Entry]], Awaitable[None]]


Announce = Callable[[State, Sequence[Entry]], None]
"""Tells others of acknowledged changes, and what was in force before; takes no time, and never raises."""


class Changes:
    """The only way to write. One writer at a time in a process; the store settles races between processes."""

    def __init__(
        self, store: Store, live: Live, settle: Settle, metrics: Metrics, clock: Clock, announce: Announce
    ) -> None:
        """Take what keeps documents, what is in force, and what puts acknowledged changes in force."""
        self._store = store
        self._announce = announce
        self._settle = settle
        self._live = live
        self._metrics = metrics
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def make(self, wanted: Sequence[Wanted], by: By) -> Sequence[Entry]:
        """Write all or nothing, put it in force and return what was written.

        Raises ProblemError: 404, 409, 412, 422 for what cannot be written as asked, 503 when the store is away.
        """
        return await self.decide_and_make(lambda _: wanted, by)

    async def decide_and_make(
        self, decide: Callable[[State], Sequence[Wanted]], by: By, *, in_thread: bool = False
    ) -> Sequence[Entry]:
        """Write what `decide` wants of the state in force, with no other write in between.

        A caller that is cancelled meanwhile does not undo it: what the store has is put in force. What may be
        thousands of documents is decided and checked in a thread, so that the process goes on answering.
        """
        entries = await asyncio.shield(self._decide_and_make(decide, by, in_thread=in_thread))
        durability.note(entries)
        return entries

    def rehearse(self, decide: Callable[[State], Sequence[Wanted]], by: By) -> None:
        """Raise what `decide_and_make` would raise now, but for an absent store, and write nothing."""
        state = self._live.state
        self._checked(state, decide(state), by)

    async def _decide_and_make(
        self, decide: Callable[[State], Sequence[Wanted]], by: By, *, in_thread: bool
    ) -> Sequence[Entry]:
        async with self._one_at_a_time:
            before = self._live.state

            def checked() -> tuple[Sequence[Change], State]:
                return self._checked(before, decide(before), by)

            changes, after = await asyncio.to_thread(checked) if in_thread else checked()
            with self._live.expecting(before, [_as_entry(change) for change in changes], after):
                entries = await self._keep(changes) if changes else []
                await self._settle(entries)
        for number, entry in enumerate(entries, start=1):
            tell(entry, self._metrics)
            if number % AT_A_TIME == 0:
                await asyncio.sleep(0)
        self._announce(before, entries)
        return entries

    async def note(self, action: Action, collection: str, key: str, by: By) -> None:
        """Put an action that changes no document into the journal. Raises ProblemError 503."""
        try:
            await self._store.note(self._clock.now(), by.actor, action, collection, key, by.reason)
        except StoreUnavailableError as error:
            raise away(error) from error
        log.info("audit", action=action, target=f"{collection}:{key}", actor=by.actor, reason=by.reason)

    async def _keep(self, changes: Sequence[Change]) -> Sequence[Entry]:
        try:
            return await self._store.write(changes)
        except StaleError as error:
            raise stale(error.actual) from error
        except StoreUnavailableError as error:
            raise away(error) from error

    def _checked(self, state: State, wanted: Sequence[Wanted], by: By) -> tuple[Sequence[Change], State]:
        """Check the changes against the state that all of them would leave: halfway documents need not fit."""
        now = self._clock.wall()
        for each in wanted:
            if each.collection is Collection.FLAG:
                check_kill(state, each.key, each.document if isinstance(each.document, Flag) else None, now)
            elif each.collection is Collection.ROUTE and each.document is None:
                check_route_kill(state, each.key)
        changes = [self._change(state, each, by) for each in wanted]
        after = self._live.after(state, [_as_entry(change) for change in changes])
        check_fit(state, after, [(each.collection, each.key) for each in wanted], now)
        return changes, after

    def _change(self, state: State, wanted: Wanted, by: By) -> Change:
        current = version_of(state, wanted.collection, wanted.key)
        if wanted.expected is not None and wanted.expected != current:
            raise stale(current)
        document = wanted.document
        body = None if document is None else write_document(document)
        return Change(wanted.collection, wanted.key, current, body, by.actor, by.reason, self._clock.now())


def tell(entry: Entry, metrics: Metrics) -> None:
    """Count and log an acknowledged change."""
    metrics.count_write(entry.collection, entry.action)
    target = f"{entry.collection}:{entry.key}"
    log.info(
        "audit",
        action=entry.action,
        target=target,
        version=entry.version,
        revision=entry.revision,
        actor=entry.actor,
        reason=entry.reason,
    )


def version_of(state: State, collection: Collection, key: str) -> int:
    """Return the version of a document in force, 0 when there is none."""
    if collection is Collection.KILL:
        return state.overlay.version_of(key)
    document = _document(state, collection, key)
    return document.version if document else 0


def _document(
    state: State, collection: Collection, key: str
) -> Flag | Route | Applied | TokenRecord | SigningKey | Rollout | Segment | None:
    if collection is Collection.FLAG:
        return state.ruleset.document(key)
    others: Mapping[Collection, Mapping[str, Route | Applied | TokenRecord | SigningKey | Rollout | Segment]] = {
        Collection.ROUTE: state.routes,
        Collection.ENV: state.env,
        Collection.TOKEN: state.records,
        Collection.SIGNING_KEY: state.signing,
        Collection.ROLLOUT: state.rollouts,
        Collection.SEGMENT: state.segments,
    }
    return others[collection].get(key)


def stale(actual: int) -> ProblemError:
    """Return the refusal of a write that stands on another version than the one in force."""
    if actual == 0:
        return ProblemError(404, Code.NOT_FOUND, "there is no such document any more")
    detail = f"the document is at version {actual} by now; read it again and repeat the change on that"
    return ProblemError(412, Code.STALE_VERSION, detail, version=actual)


def _as_entry(change: Change) -> Entry:
    return Entry(
        seq=0,
        epoch="",
        revision=None,
        at=change.at,
        actor=change.actor,
        action=change.action,
        collection=change.collection,
        key=change.key,
        version=change.expected + 1,
        body=change.body,
        reason=change.reason,
    )


def away(error: StoreUnavailableError) -> ProblemError:
    """Return the refusal of a write that was not acknowledged."""
    log.warning("change refused: the store is away", why=str(error))
    return ProblemError(503, Code.STORE_UNAVAILABLE, f"the change was not made: {error}", headers={"Retry-After": "5"})
