"""The memory of a fleet: every change that the live state acknowledged, from which the live state is made again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from app.stores.comparisons import Comparisons
from app.stores.lines import NOTE, Lines, entry_of
from app.stores.records import Change, Collection, Entry, Mark, Snapshot, Stored, collection_of
from app.stores.schema import IS_KILL, JOURNAL

PLACE = (JOURNAL.c.epoch, JOURNAL.c.revision)

PAGE = 200


class SqlJournal(Lines, Comparisons):
    """A journal over an engine that it opens and closes; one `async with` for each instance."""

    async def append(self, entries: Iterable[Entry]) -> Sequence[Entry]:
        """Keep entries that have a revision, all or none, each once: what is kept already stays as it is.

        Returns those whose epoch and revision belong to a different entry, and which are therefore not kept: the
        live state has forgotten acknowledged changes and given their revisions away.
        """
        in_order = sorted(entries, key=attrgetter("epoch", "revision"))

        def keep(connection: Connection) -> Sequence[Entry]:
            return [each for page in _pages(in_order) for each in _keep(connection, page)]

        return await self._write(keep)

    async def order(self, changes: Sequence[Change]) -> None:
        """Keep changes that the live state has not got, all or none, as lines without a revision."""
        lines = [_order(change) for change in changes]
        await self._write(lambda connection: connection.execute(NOTE, lines))

    async def kill_lines(self, seen: AbstractSet[int]) -> Sequence[Entry]:
        """Return every line about a kill, in order, but for those whose `seq` has been seen.

        Numbers are given before a line can be read, so a new one may well have a lower number than others seen.
        """
        if await self._read(_count_of_kills) == len(seen):
            return []
        return await self._read(lambda connection: _kills_unseen(connection, seen))

    async def latest(self) -> Snapshot | None:
        """Return the newest version of every document, at the highest revision of the newest epoch; None when empty."""
        found = await self._read(_latest)
        if found is None:
            return None
        epoch, revision, lines = found
        documents = [_document(line) for line in lines if line.body is not None]
        return Snapshot(epoch, revision, tuple(sorted(documents, key=attrgetter("collection", "key"))))

    async def gone(self) -> Mapping[tuple[Collection, str], int]:
        """Return the last version of every document that is deleted, which one made again continues."""
        found = await self._read(_latest)
        lines = found[2] if found else []
        return {(collection_of(line.collection), line.key): line.version for line in lines if line.body is None}

    async def marks(self) -> Sequence[Mark]:
        """Return the highest revision of every epoch, oldest epoch first."""
        in_order = _EPOCHS.order_by(func.min(JOURNAL.c.seq))
        return [Mark(line.epoch, line.revision) for line in await self._read(lambda each: each.execute(in_order))]

    async def changed_at(self) -> datetime | None:
        """Return when the latest change of a document was made, None when there is none."""
        latest = select(func.max(JOURNAL.c.at)).where(JOURNAL.c.revision.is_not(None))
        found: datetime | None = (await self._read(lambda connection: connection.execute(latest))).scalar_one()
        return found

    async def position(self, epoch: str, after: int = 0) -> int:
        """Return the highest revision of an epoch such that none between `after` and it is missing."""
        revisions = select(JOURNAL.c.revision).where(JOURNAL.c.epoch == epoch, JOURNAL.c.revision > after)
        counted = revisions.add_columns(func.row_number().over(order_by=JOURNAL.c.revision).label("nth")).subquery()
        unbroken = select(func.max(counted.c.revision)).where(counted.c.revision - counted.c.nth == after)
        found: int | None = (await self._read(lambda connection: connection.execute(unbroken))).scalar_one()
        return after if found is None else found


def _place(entry: Entry) -> tuple[str, int | None]:
    return entry.epoch, entry.revision


def _pages(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Cut up what is to be kept: while a page is made into one statement, the process does nothing else."""
    return (entries[start : start + PAGE] for start in range(0, len(entries), PAGE))


def _keep(connection: Connection, entries: Sequence[Entry]) -> Sequence[Entry]:
    # the engine has imported its own dialect, and a start does without the other
    insert = import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert
    free = insert(JOURNAL).on_conflict_do_nothing(index_elements=PLACE).returning(*PLACE)
    taken = {tuple(row) for row in connection.execute(free, [_row(entry) for entry in entries])}
    return _kept_otherwise(connection, [entry for entry in entries if _place(entry) not in taken])


def _row(entry: Entry) -> dict[str, Any]:
    return {column.name: getattr(entry, column.name) for column in JOURNAL.c if column is not JOURNAL.c.seq}


def _order(change: Change) -> dict[str, Any]:
    about = {name: getattr(change, name) for name in ("at", "actor", "action", "key", "body", "reason")}
    return about | {"collection": change.collection.value}


def _count_of_kills(connection: Connection) -> int:
    count: int = connection.execute(select(func.count()).select_from(JOURNAL).where(IS_KILL)).scalar_one()
    return count


def _kills_unseen(connection: Connection, seen: AbstractSet[int]) -> Sequence[Entry]:
    numbers = {*(connection.scalars(select(JOURNAL.c.seq).where(IS_KILL)))} - seen
    span = JOURNAL.c.seq.between(min(numbers, default=0), max(numbers, default=0))
    lines = connection.execute(select(JOURNAL).where(span, IS_KILL).order_by(JOURNAL.c.seq))
    return [entry_of(line) for line in lines if line.seq in numbers]


def _kept_otherwise(connection: Connection, entries: Sequence[Entry]) -> Sequence[Entry]:
    by_epoch = defaultdict(list)
    for entry in entries:
        by_epoch[entry.epoch].append(entry)
    kept: dict[tuple[str, int | None], Entry] = {}
    for epoch, those in by_epoch.items():
        wanted = select(JOURNAL).where(
            JOURNAL.c.epoch == epoch, JOURNAL.c.revision.between(those[0].revision, those[-1].revision)
        )
        kept |= {_place(line): line for line in map(entry_of, connection.execute(wanted))}
    return [entry for entry in entries if replace(kept[_place(entry)], seq=entry.seq) != entry]


def _latest(connection: Connection) -> tuple[str, int, Sequence[Row[Any]]] | None:
    newest = connection.execute(_EPOCHS.order_by(func.min(JOURNAL.c.seq).desc()).limit(1)).one_or_none()
    if newest is None:
        return None
    return newest.epoch, newest.revision, connection.execute(_newest_lines()).all()


# an epoch is as old as its first line: carried late, a line of an old epoch does not make it the newest
_EPOCHS = (
    select(JOURNAL.c.epoch, func.max(JOURNAL.c.revision).label("revision"), func.min(JOURNAL.c.seq).label("first"))
    .where(JOURNAL.c.revision.is_not(None))
    .group_by(JOURNAL.c.epoch)
)


def _newest_lines() -> Select[Any]:
    epochs = _EPOCHS.subquery()
    newest_first = func.row_number().over(
        partition_by=(JOURNAL.c.collection, JOURNAL.c.key), order_by=(epochs.c.first.desc(), JOURNAL.c.revision.desc())
    )
    ranked = (
        select(JOURNAL, newest_first.label("rank"))
        .join(epochs, JOURNAL.c.epoch == epochs.c.epoch)
        .where(JOURNAL.c.revision.is_not(None))
        .subquery()
    )
    return select(ranked).where(ranked.c.rank == 1)


def _document(line: Row[Any]) -> Stored:
    return Stored(collection_of(line.collection), line.key, line.version, line.body, line.at, line.actor)
