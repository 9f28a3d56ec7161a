"""Keeps the last good copy of the state as new as it is worth."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import structlog

from app.auth import TokenRecord
from app.clock import Clock
from app.refresh import Applied, Live, State, write_document
from app.signing import SigningKey
from app.standing import Standing
from app.stores.last_good import LastGood, line_of
from app.stores.records import Collection, Stored, StoreUnavailableError
from flags.kills import Kill
from flags.model import Flag
from flags.segment import Segment
from rollouts.model import Rollout
from routers.model import Route

Document = Flag | Route | TokenRecord | SigningKey | Applied | Kill | Rollout | Segment

log = structlog.get_logger("crossfade.last_good")

EVERY_S = 2.0
"""How often a changed state is kept at most."""

LONG_AGO = datetime.fromtimestamp(0, UTC)

PAGE = 50
"""How many documents are written out before other work gets its turn."""


class Keeper:
    """Writes the state in force to the last good copy when it has changed, as long as it is known to be the newest.

    Each document is written out once: of a large state in which one changes, one is.
    """

    def __init__(self, live: Live, standing: Standing, last_good: LastGood, clock: Clock) -> None:
        self._live = live
        self._standing = standing
        self._last_good = last_good
        self._clock = clock
        self._kept: State | None = None
        self._lines: dict[tuple[Collection, str], tuple[Document, bytes]] = {}

    async def run(self) -> None:
        """Keep until cancelled."""
        while True:
            await self.keep()
            await asyncio.sleep(EVERY_S)

    async def keep(self) -> None:
        """Keep the state in force unless it is kept already; a disk that fails is logged, and tried again."""
        state = self._live.state
        if state is self._kept or not self._standing.is_fresh:
            return
        lines, ruleset = await self._lines_of(state), state.ruleset
        try:
            await asyncio.to_thread(self._last_good.write, ruleset.epoch, ruleset.revision, lines, self._clock.wall())
        except StoreUnavailableError as error:
            log.warning("the last good copy is not written", why=str(error))
        else:
            self._kept = state

    async def _lines_of(self, state: State) -> list[bytes]:
        """Write a state out line by line, giving other work its turn in between."""
        lines: dict[tuple[Collection, str], tuple[Document, bytes]] = {}
        for collection, key, document in _documents(state):
            before = self._lines.get((collection, key))
            is_as_before = before is not None and before[0] is document
            line = before[1] if before and is_as_before else line_of(_stored(collection, key, document))
            lines[collection, key] = document, line
            if len(lines) % PAGE == 0:
                await asyncio.sleep(0)
        self._lines = lines
        return [line for _, line in lines.values()]


def _documents(state: State) -> Iterator[tuple[Collection, str, Document]]:
    by_collection: Mapping[Collection, Mapping[str, Document]] = {
        Collection.FLAG: state.flags,
        Collection.ROUTE: state.routes,
        Collection.SEGMENT: state.segments,
        Collection.KILL: state.overlay.known,
        Collection.ENV: state.env,
        Collection.TOKEN: state.records,
        Collection.SIGNING_KEY: state.signing,
        Collection.ROLLOUT: state.rollouts,
    }
    for collection, documents in by_collection.items():
        for key, document in documents.items():
            yield collection, key, document


def _stored(collection: Collection, key: str, document: Document) -> Stored:
    body = write_document(document)
    if isinstance(document, Kill):
        return Stored(collection, key, 1, body, document.at, document.actor)
    at, by = document.updated_at or LONG_AGO, document.updated_by or "unknown"
    return Stored(collection, key, document.version, body, at, by)
