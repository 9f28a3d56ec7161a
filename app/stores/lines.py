"""The lines of the journal: what every store over an SQL database notes, lists and looks up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, tuple_

from app.stores.database import Database
from app.stores.records import Action, Collection, Entry
from app.stores.schema import JOURNAL, META


class Lines(Database):
    """A database with a journal."""

    async def note(self, at: datetime, actor: str, action: Action, collection: str, key: str, reason: str) -> None:
        """Put an action that changes no document into the journal."""
        line = {"at": at, "actor": actor, "action": action, "collection": collection, "key": key, "reason": reason}
        await self._write(lambda connection: connection.execute(NOTE, line))

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
        wanted = _matching(collection, key, before)
        if prefix is not None:
            wanted = wanted.where(JOURNAL.c.key.startswith(prefix, autoescape=True))
        wanted = wanted.order_by(JOURNAL.c.seq.desc()).limit(max(limit, 0))
        return [entry_of(row) for row in await self._read(lambda connection: connection.execute(wanted))]

    async def version(self, collection: Collection, key: str, version: int) -> Entry | None:
        """Return the journal entry that wrote this version of a document, the newest when several epochs have one."""
        wanted = _matching(collection, key, None).where(JOURNAL.c.version == version)
        wanted = wanted.order_by(JOURNAL.c.seq.desc()).limit(1)
        found = (await self._read(lambda connection: connection.execute(wanted))).one_or_none()
        return entry_of(found) if found else None

    async def versions(self, collection: Collection, wanted: Sequence[tuple[str, int]]) -> Mapping[str, Entry]:
        """Return by key the entries that wrote these versions, one of each key, as `version` does for one."""
        named = tuple_(JOURNAL.c.key, JOURNAL.c.version).in_(wanted)
        question = _matching(collection, None, None).where(named).order_by(JOURNAL.c.seq)
        found = await self._read(lambda connection: connection.execute(question).all())
        return {row.key: entry_of(row) for row in found}

    async def created(self, collection: Collection, keys: Sequence[str]) -> Mapping[str, datetime]:
        """Return by key when documents were made, those that were deleted and made again the last time."""
        made = (JOURNAL.c.collection == collection) & (JOURNAL.c.action == Action.CREATE) & JOURNAL.c.key.in_(keys)
        question = select(JOURNAL.c.key, func.max(JOURNAL.c.at).label("at")).where(made).group_by(JOURNAL.c.key)
        found = await self._read(lambda connection: connection.execute(question).all())
        return {row.key: row.at for row in found}


def entry_of(row: Row[Any]) -> Entry:
    """Read a row of the journal."""
    return Entry(**row._asdict() | {"action": Action(row.action)})


_NEWEST_EPOCH = select(JOURNAL.c.epoch).order_by(JOURNAL.c.seq.desc()).limit(1).scalar_subquery()
_FIRST_EPOCH = select(META.c.epoch).scalar_subquery()
NOTE = insert(JOURNAL).values(epoch=func.coalesce(_NEWEST_EPOCH, _FIRST_EPOCH))
"""Adds a line without a revision, in the epoch of the newest line."""


def _matching(collection: str | None, key: str | None, before: int | None) -> Select[Any]:
    entries = select(JOURNAL)
    if collection is not None:
        entries = entries.where(JOURNAL.c.collection == collection)
    if key is not None:
        entries = entries.where(JOURNAL.c.key == key)
    return entries if before is None else entries.where(JOURNAL.c.seq < before)
