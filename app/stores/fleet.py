"""The store of one process among many: the live state they share, and the journal that remembers it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from logging import INFO, WARNING
from typing import Any, TypeVar

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
    Mark,
    Snapshot,
    StaleError,
    StoreUnavailableError,
    StrangeError,
)

log = structlog.get_logger("crossfade.fleet")

T = TypeVar("T")


class FleetStore:
    """Writes go to the live state and then to the journal; what the journal misses is carried there later.

    A live state that is empty, or that has lost changes it had acknowledged, is refilled from the journal, under a new
    epoch, by whoever notices first.
    """

    def __init__(
        self,
        live: LiveStore,
        journal: SqlJournal,
        new_epoch: Callable[[], str] = random_epoch,
        patience_s: float = 2.0,
    ) -> None:
        """Take both parts; nobody who writes waits for the journal longer than `patience_s`."""
        self._live = live
        self._journal = journal
        self._new_epoch = new_epoch
        self._carried = Mark("", 0)
        self._known: Mark | None = None
        self._patience_s = patience_s
        self._going_on: set[asyncio.Task[Any]] = set()
        self._overdue: set[asyncio.Task[Any]] = set()

    async def load(self) -> Snapshot:
        """Return the whole state, refilled first if it is empty or behind. Raises StoreUnavailableError."""
        while True:
            # asked first: what the journal has by then, the live state had before
            kept = await self._kept()
            snapshot = await self._live.load()
            if snapshot is None:
                await self._refill()
                continue
            mark = Mark(snapshot.epoch, snapshot.revision)
            if not _is_behind(mark, kept, self._known):
                self._known = mark
                return snapshot
            log.error("live state has lost acknowledged changes", epoch=mark.epoch, revision=mark.revision)
            await self.carry(mark.epoch)
            await self._refill(over=mark)

    async def write(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Apply all changes or none; on return the live state has them, and the journal if it can be reached.

        Entries the journal has not yet have `seq` 0. Raises StaleError, StoreUnavailableError.
        """
        try:
            entries = await self._live.write(changes, self._known)
        except (EmptyError, StrangeError):
            await self.load()
            entries = await self._live.write(changes, self._known)
        self._knows(entries)
        return await self._remembered(entries)

    async def insist(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Write kills and releases to the live state, or else as orders to the journal.

        What another process has changed meanwhile becomes an order too, and what a live state takes that has lost its
        latest changes. Raises StoreUnavailableError when neither part takes them, StaleError when only the journal
        could.
        """
        try:
            return await self._remembered(await self._live.write(changes))
        except (StaleError, StoreUnavailableError) as error:
            return await self._ordered(changes, error)

    async def kill_lines(self, seen: AbstractSet[int]) -> Sequence[Entry]:
        """Return every line of the journal about a kill, in order, but for those whose `seq` has been seen."""
        return await self._in_time(self._journal.kill_lines(seen))

    async def since(self, epoch: str, revision: int) -> Sequence[Entry] | None:
        """Return what came after a revision, in order; None when only loading the whole state tells."""
        entries = await self._live.since(epoch, revision)
        self._knows(entries or ())
        return entries

    def rings(self) -> AsyncIterator[None]:
        """Ring once when listening begins, and then at every change. Raises StoreUnavailableError."""
        return self._live.rings()

    async def carry(self, epoch: str) -> None:
        """Bring to the journal what it misses of an epoch. Raises StoreUnavailableError.

        A live state that has given revisions away which the journal knew already is behind, and refilled.
        """
        if self._carried.epoch != epoch:
            self._carried = Mark(epoch, await self._journal.position(epoch))
        missing = await self._live.since(*self._carried)
        if not missing:
            return
        latest = Mark(epoch, missing[-1].revision or 0)
        lost = await self._journal.append(missing)
        for entry in lost:
            log.error("journal holds another entry", epoch=epoch, revision=entry.revision, actor=entry.actor)
        if lost:
            await self._refill(over=latest)
        else:
            self._carried = latest

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

    async def versions(self, collection: Collection, wanted: Sequence[tuple[str, int]]) -> Mapping[str, Entry]:
        """Return by key the journal entries that wrote these versions, one of each key."""
        return await self._journal.versions(collection, wanted)

    async def created(self, collection: Collection, keys: Sequence[str]) -> Mapping[str, datetime]:
        """Return by key when documents were made, those that were deleted and made again the last time."""
        return await self._journal.created(collection, keys)

    async def check(self) -> None:
        """Raise StoreUnavailableError unless the live state answers."""
        await self._live.check()

    def _knows(self, entries: Sequence[Entry]) -> None:
        if entries:
            self._known = Mark(entries[-1].epoch, entries[-1].revision or 0)

    async def _kept(self) -> Sequence[Mark]:
        try:
            return await self._in_time(self._journal.marks())
        except StoreUnavailableError:
            return []

    async def _remembered(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the entries once the journal has them, or is away. Raises StrangeError when it has others."""
        # writes take turns: if each waited for a journal that owes an answer already, the waits would add up
        if self._overdue:
            return entries
        try:
            lost = await self._in_time(self._journal.append(entries))
        except StoreUnavailableError as error:
            log.warning("journal is away, the live state has the change", why=str(error))
            return entries
        if lost:
            raise StrangeError("the live state has lost changes that the journal has, and is refilled")
        return [replace(entry, seq=KEPT) for entry in entries]

    async def _ordered(self, changes: Sequence[Change], why: StaleError | StoreUnavailableError) -> Sequence[Entry]:
        try:
            await self._in_time(self._journal.order(changes))
        except StoreUnavailableError as error:
            if isinstance(why, StaleError):
                raise why from error
            raise StoreUnavailableError(f"{why}; {error}") from error
        log.warning("kill or release is in the journal only, the live state gets it later", why=str(why))
        return [_as_order(change) for change in changes]

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        """Await the journal for a while; what takes longer goes on, and is nobody's to wait for."""
        task = asyncio.create_task(work)
        self._going_on.add(task)
        task.add_done_callback(self._has_ended)
        done, _ = await asyncio.wait([task], timeout=self._patience_s)
        if not done:
            self._overdue.add(task)
            raise StoreUnavailableError(f"the journal failed: no answer within {self._patience_s:g} s")
        return task.result()

    def _has_ended(self, task: asyncio.Task[Any]) -> None:
        self._going_on.discard(task)
        self._overdue.discard(task)
        if not task.cancelled():
            # asked for, lest asyncio complain of an error that nobody is waiting for any more
            task.exception()

    async def _refill(self, over: Mark | None = None) -> None:
        found = await self._journal.latest()
        documents = found.documents if found else ()
        gone = await self._journal.gone()
        if await self._live.refill(Snapshot(self._new_epoch(), 0, documents), gone, over=over):
            level = WARNING if documents or over else INFO
            log.log(level, "live state is refilled from the journal", was_empty=over is None, documents=len(documents))


def _is_behind(mark: Mark, kept: Sequence[Mark], known: Mark | None) -> bool:
    """Say whether a live state lacks changes that the journal has, or that were known of it before."""
    if known is not None and known.epoch == mark.epoch and known.revision > mark.revision:
        return True
    kept_of = dict(kept)
    return mark.epoch in kept_of and (kept_of[mark.epoch] > mark.revision or kept[-1].epoch != mark.epoch)


KEPT = -1
"""The `seq` of an entry that the journal has and whose number was not asked for."""


def _as_order(change: Change) -> Entry:
    line = (change.at, change.actor, change.action, change.collection.value, change.key, None, change.body)
    return Entry(KEPT, "", None, *line, change.reason)
