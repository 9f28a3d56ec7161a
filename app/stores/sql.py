"""The store in an SQL database: a write is one transaction over documents, journal and revision."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, bindparam, delete, func, insert, select, update

from app.stores.comparisons import Comparisons
from app.stores.lines import Lines
from app.stores.records import Action, Change, Collection, Entry, Snapshot, StaleError, Stored
from app.stores.schema import DOCUMENTS, JOURNAL, META

PAGE = 200
"""Changes that are written by one statement: while it is made, the process does nothing else."""


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
            return [entry for page in _pages(changes) for entry in _apply(connection, page)]

        return await self._write(apply_all)

    async def insist(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Write kills and releases: the store has one part only."""
        return await self.write(changes)


def _load(connection: Connection) -> Snapshot:
    epoch, revision = connection.execute(select(META.c.epoch, META.c.revision)).one()
    documents = map(_stored, connection.execute(select(DOCUMENTS)))
    return Snapshot(epoch, revision, tuple(sorted(documents, key=attrgetter("collection", "key"))))


def _pages(changes: Iterable[Change]) -> Iterator[Sequence[Change]]:
    """Cut up changes, in order: those of a page are of one collection, and each of another document."""
    page: dict[str, Change] = {}
    for change in changes:
        first = next(iter(page.values()), change)
        if len(page) == PAGE or change.key in page or change.collection is not first.collection:
            yield [*page.values()]
            page = {}
        page[change.key] = change
    if page:
        yield [*page.values()]


def _apply(connection: Connection, changes: Sequence[Change]) -> Sequence[Entry]:
    named = {"collection": changes[0].collection.value, "keys": [change.key for change in changes]}
    epoch, revision = connection.execute(_NEXT_REVISIONS, {"count": len(changes)}).one()
    live = dict(connection.execute(_LIVE, named).all())
    last = dict(connection.execute(_LAST, named).all())
    for change in changes:
        there = live.get(change.key, 0)
        if there != change.expected or (change.action is Action.DELETE and not there):
            raise StaleError(there)
    lines = [
        _line(change, epoch, revision - len(changes) + nth, last.get(change.key, 0) + 1)
        for nth, change in enumerate(changes, start=1)
    ]
    if live:
        connection.execute(_FORGET, named)
    documents = [_document(line) for line in lines if line["body"] is not None]
    if documents:
        connection.execute(insert(DOCUMENTS), documents)
    numbers = connection.execute(_LINES, lines).scalars()
    return [Entry(seq=seq, **line) for seq, line in zip(numbers, lines, strict=True)]


def _line(change: Change, epoch: str, revision: int, version: int) -> dict[str, Any]:
    about = {name: getattr(change, name) for name in ("actor", "action", "key", "body", "reason")}
    where = {"epoch": epoch, "revision": revision, "version": version, "collection": change.collection.value}
    return about | where | {"at": change.at.astimezone(UTC)}


def _document(line: dict[str, Any]) -> dict[str, Any]:
    kept = {name: line[name] for name in ("collection", "key", "version", "body")}
    return kept | {"updated_at": line["at"], "updated_by": line["actor"]}


def _are_named(table: Table) -> ColumnElement[bool]:
    return and_(table.c.collection == bindparam("collection"), table.c.key.in_(bindparam("keys", expanding=True)))


# an UPDATE, so that it also holds back every other writer until the transaction ends
_NEXT_REVISIONS = (
    update(META).values(revision=META.c.revision + bindparam("count")).returning(META.c.epoch, META.c.revision)
)

_LIVE = select(DOCUMENTS.c.key, DOCUMENTS.c.version).where(_are_named(DOCUMENTS))
_LAST = select(JOURNAL.c.key, func.max(JOURNAL.c.version)).where(_are_named(JOURNAL)).group_by(JOURNAL.c.key)

_FORGET = delete(DOCUMENTS).where(_are_named(DOCUMENTS))

_LINES = insert(JOURNAL).returning(JOURNAL.c.seq, sort_by_parameter_order=True)


def _stored(row: Row[Any]) -> Stored:
    return Stored(**row._asdict() | {"collection": Collection(row.collection)})
