"""The store in an SQL database: a write is one transaction over documents, journal and revision."""

from collections.abc import Sequence
from datetime import UTC
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, bindparam, delete, func, insert, select, update

from app.stores.comparisons import Comparisons
from app.stores.lines import Lines
from app.stores.records import Action, Change, Collection, Entry, Snapshot, StaleError, Stored
from app.stores.schema import DOCUMENTS, JOURNAL, META


class SqlStore(Lines, Comparisons):
    """A store over an engine that it opens and closes; one `async with` for each instance."""

    async def load(self) -> Snapshot:
        """Return the whole state, read at one moment."""
        return await self._read(_load)

    async def write(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Apply all changes or none, one revision each; on return they survive a crash of the process.

        Raises StaleError when a document is not at the version its change expects. A write that has begun goes on to
        its end when the caller is cancelled.
        """

        def apply_all(connection: Connection) -> Sequence[Entry]:
            return [_apply(connection, change) for change in changes]

        return await self._write(apply_all)

    async def insist(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Write kills and releases: the store has one part only."""
        return await self.write(changes)


def _load(connection: Connection) -> Snapshot:
    epoch, revision = connection.execute(select(META.c.epoch, META.c.revision)).one()
    documents = map(_stored, connection.execute(select(DOCUMENTS)))
    return Snapshot(epoch, revision, tuple(sorted(documents, key=attrgetter("collection", "key"))))


def _apply(connection: Connection, change: Change) -> Entry:
    name = {"collection": change.collection.value, "key": change.key}
    epoch, revision = connection.execute(_NEXT_REVISION).one()
    live, last = connection.execute(_VERSIONS, name).one()
    if live != change.expected or (change.action is Action.DELETE and not live):
        raise StaleError(live)
    written = name | {"version": last + 1, "body": change.body}
    connection.execute(_FORGET, name)
    if change.body is not None:
        connection.execute(insert(DOCUMENTS), written | {"updated_at": change.at, "updated_by": change.actor})
    line: dict[str, Any] = written | {
        "epoch": epoch,
        "revision": revision,
        "action": change.action,
        "reason": change.reason,
    }
    line |= {"at": change.at.astimezone(UTC), "actor": change.actor}
    return Entry(seq=connection.execute(_LINE, line).scalar_one(), **line)


def _is_named(table: Table) -> ColumnElement[bool]:
    return and_(table.c.collection == bindparam("collection"), table.c.key == bindparam("key"))


# an UPDATE, so that it also holds back every other writer until the transaction ends
_NEXT_REVISION = update(META).values(revision=META.c.revision + 1).returning(META.c.epoch, META.c.revision)

_LIVE = select(DOCUMENTS.c.version).where(_is_named(DOCUMENTS)).scalar_subquery()
_LAST = select(func.max(JOURNAL.c.version)).where(_is_named(JOURNAL)).scalar_subquery()
_VERSIONS = select(func.coalesce(_LIVE, 0), func.coalesce(_LAST, 0))

_FORGET = delete(DOCUMENTS).where(_is_named(DOCUMENTS))

_LINE = insert(JOURNAL).returning(JOURNAL.c.seq)


def _stored(row: Row[Any]) -> Stored:
    return Stored(**row._asdict() | {"collection": Collection(row.collection)})
