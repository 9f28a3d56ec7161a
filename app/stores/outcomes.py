"""Outcomes in an SQL database: added in batches, each once; read in order; forgotten in small steps."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select

from app.stores.database import Database
from app.stores.schema import OUTCOMES, Moment

COLUMNS = ("id", "route", "side", "kind", "at", "received_at", "body", "rollout")
STATEMENT = 250
"""Rows of one statement: bound within a millisecond, and run without holding up the process."""

ONE_PRUNER = 0x4F555443
"""The advisory lock of whoever prunes in Postgres; SQLite has one writer anyway."""


LINES = 0x4C494E45
"""The advisory lock that writers of outcomes share in Postgres: who has it alone knows that none is under way."""

WRITES_LINES = select(func.pg_advisory_xact_lock_shared(LINES))
"""Taken before numbers are, and held to the commit: until then a reader might see a later number first."""


class OutcomeRow(NamedTuple):
    """An outcome as it is kept: what it is found by, and all of it as JSON text in `body`.

    `side` is "" for one that counts for no side, `rollout` the id of the one whose step it belongs to. Times are UTC
    ISO text with microseconds, so that their order is time's.
    """

    id: str
    route: str
    side: str
    kind: str
    at: str
    received_at: str
    body: str
    rollout: str | None = None


class Wanted(NamedTuple):
    """Which outcomes are asked for; None is any. `since` is included, `until` is not."""

    route: str | None = None
    side: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class SqlOutcomes(Database):
    """Outcomes over an engine that it opens and closes; one `async with` for each instance."""

    async def append(self, rows: Sequence[OutcomeRow]) -> int:
        """Keep all rows or none, but for those whose route and id are kept already; return how many were new.

        They are numbered in the order given, in Postgres in that of their ids. Raises StoreUnavailableError.
        """
        return await self._write(lambda connection: _keep(connection, rows))

    async def span(self) -> tuple[int, int]:
        """Return the first and the last number there is, 0 and 0 for none. Raises StoreUnavailableError."""
        ends = select(func.coalesce(func.min(OUTCOMES.c.seq), 0), func.coalesce(func.max(OUTCOMES.c.seq), 0))
        first, last = (await self._read(lambda connection: connection.execute(ends))).one()
        return first, last

    async def bodies(self, first: int, last: int, wanted: Wanted) -> Sequence[str]:
        """Return the wanted outcomes numbered `first` to `last`, in order. Raises StoreUnavailableError."""
        question = select(OUTCOMES.c.body).where(OUTCOMES.c.seq.between(first, last))
        for name in ("route", "side", "kind"):
            if (value := getattr(wanted, name)) is not None:
                question = question.where(OUTCOMES.c[name] == value)
        if wanted.since is not None:
            question = question.where(OUTCOMES.c.at >= wanted.since)
        if wanted.until is not None:
            question = question.where(OUTCOMES.c.at < wanted.until)
        return await self._read(lambda connection: connection.scalars(question.order_by(OUTCOMES.c.seq)).all())

    async def prune(self, before: datetime, limit: int) -> int:
        """Forget outcomes received before a time, of the oldest `limit` there are, and return how many.

        Does nothing while another process does. Raises StoreUnavailableError.
        """
        return await self._write(lambda connection: _prune(connection, before, limit))


_IDENTITY = attrgetter("id", "route")

_INTO = "INSERT INTO outcomes (" + ",".join(COLUMNS) + ")"
_ONCE = "ON CONFLICT DO NOTHING"
_PLACES = "(" + ",".join("?" * len(COLUMNS)) + ")"
_ARRAYS = ",".join(f"${number}::varchar[]" for number, _ in enumerate(COLUMNS, 1))
_UNNESTED = f"{_INTO} SELECT * FROM unnest({_ARRAYS}) {_ONCE}"  # noqa: S608 - names and places, no values


def _keep(connection: Connection, rows: Sequence[OutcomeRow]) -> int:
    if connection.dialect.name == "postgresql":
        connection.execute(WRITES_LINES)
        # in one order everywhere, or processes that report the same would wait for each other for ever
        in_order = sorted(rows, key=_IDENTITY)
        return sum(_send_arrays(connection, some) for some in _cut(in_order, STATEMENT))
    odd = len(rows) % STATEMENT
    whole = len(rows) - odd
    return _send_rows(connection, rows[:whole], STATEMENT) + _send_rows(connection, rows[whole:], odd)


def _cut(rows: Sequence[OutcomeRow], size: int) -> Iterator[Sequence[OutcomeRow]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _send_arrays(connection: Connection, rows: Sequence[OutcomeRow]) -> int:
    """Send the rows as one statement with an array for each column."""
    return connection.exec_driver_sql(_UNNESTED, tuple(map(list, zip(*rows, strict=True)))).rowcount


def _send_rows(connection: Connection, rows: Sequence[OutcomeRow], size: int) -> int:
    """Send the rows as statements with a place for each value, all at once: a way to the driver takes longer than one.

    Each has `size` rows.
    """
    if not rows:
        return 0
    statement = f"{_INTO} VALUES {','.join([_PLACES] * size)} {_ONCE}"
    return connection.exec_driver_sql(statement, [(*chain(*some),) for some in _cut(rows, size)]).rowcount


def _prune(connection: Connection, before: datetime, limit: int) -> int:
    if connection.dialect.name == "postgresql":
        mine = select(func.pg_try_advisory_xact_lock(ONE_PRUNER))
        if not connection.execute(mine).scalar_one():
            return 0
    oldest = select(OUTCOMES.c.seq).order_by(OUTCOMES.c.seq).limit(limit)
    is_over = OUTCOMES.c.received_at < bindparam("before", before, type_=Moment)
    return connection.execute(delete(OUTCOMES).where(OUTCOMES.c.seq.in_(oldest), is_over)).rowcount
