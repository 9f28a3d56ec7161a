"""The store of one process among many: the live state they share, and the journal that remembers it."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from app.stores.database import random_epoch
from app.stores.journal import SqlJournal
from app.stores.records import (
    Action,
    Change,
    Collection,
    EmptyError,
    Entry,
    LiveStore,
    Snapshot,
    StoreUnavailableError,
)

log = structlog.get_logger("crossfade.fleet")


class FleetStore:
    """Writes go to the live state and then to the journal; what the journal misses is carried there later.

    An empty live state is refilled from the journal, under a new epoch, by whoever notices first.
    """

    def __init__(self, live: LiveStore, journal: SqlJournal, new_epoch: Callable[[], str] = random_epoch) -> None:
        self._live = live
        self._journal = journal
        self._new_epoch = new_epoch
        self._carried: tuple[str, int] = ("", 0)

    async def load(self) -> Snapshot:
        """Return the whole state, refilled first if it is empty. Raises StoreUnavailableError."""
        snapshot = await self._live.load()
        while snapshot is None:
            await self._refill()
            snapshot = await self._live.load()
        return snapshot

    async def write(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Apply all changes or none; on return the live state has them, and the journal if it can be reached.

        Entries the journal has not yet have `seq` 0. Raises StaleError, StoreUnavailableError.
        """
        try:
            entries = await self._live.write(changes)
        except EmptyError:
            await self._refill()
            entries = await self._live.write(changes)
        return await self._remembered(entries)

    async def since(self, epoch: str, revision: int) -> Sequence[Entry] | None:
        """Return what came after a revision, in order; None when only loading the whole state tells."""
        return await self._live.since(epoch, revision)

    def rings(self) -> AsyncIterator[None]:
        """Ring once when listening begins, and then at every change. Raises StoreUnavailableError."""
        return self._live.rings()

    async def carry(self, epoch: str) -> None:
        """Bring to the journal what it misses of an epoch. Raises StoreUnavailableError."""
        if self._carried[0] != epoch:
            self._carried = (epoch, await self._journal.position(epoch))
        missing = await self._live.since(*self._carried)
        if not missing:
            return
        lost = await self._journal.append(missing)
        for entry in lost:
            log.error("journal holds another entry", epoch=entry.epoch, revision=entry.revision)
        self._carried = (epoch, missing[-1].revision or 0)

    async def note(self, at: datetime, actor: str, action: Action, collection: str, key: str, reason: str) -> None:
        """Put an action that changes no document into the journal."""
        await self._journal.note(at, actor, action, collection, key, reason)

    async def journal(
        self,
        *,
        collection: str | None = None,
        key: str | None = None,
        prefix: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[Entry]:
        """Return journal entries, newest first: those of a key, of keys with a prefix, with a `seq` below `before`."""
        return await self._journal.journal(collection=collection, key=key, prefix=prefix, before=before, limit=limit)

    async def version(self, collection: Collection, key: str, version: int) -> Entry | None:
        """Return the journal entry that wrote this version of a document."""
        return await self._journal.version(collection, key, version)

    async def check(self) -> None:
        """Raise StoreUnavailableError unless the live state answers."""
        await self._live.check()

    async def _remembered(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        try:
            await self._journal.append(entries)
        except StoreUnavailableError as error:
            log.warning("journal is away, the live state has the change", why=str(error))
            return entries
        return [replace(entry, seq=KEPT) for entry in entries]

    async def _refill(self) -> None:
        found = await self._journal.latest()
        documents = found.documents if found else ()
        gone = await self._journal.gone()
        if await self._live.refill(Snapshot(self._new_epoch(), 0, documents), gone):
            log.warning("live state was empty and is refilled from the journal", documents=len(documents))


KEPT = -1
"""The `seq` of an entry that the journal has and whose number was not asked for."""
