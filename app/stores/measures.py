"""Measures in an SQL database: what processes counted, merged by minute and hour."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select, tuple_

from app.stores.database import Database, insert_into
from app.stores.schema import MEASURES

MINUTE_S, HOUR_S, QUARTER_S, DAY_S = 60, 3600, 21_600, 86_400
SPANS = (MINUTE_S, HOUR_S, QUARTER_S, DAY_S)
"""Seconds that a row is of: the longer ones are there so that a month is read within a moment."""

KEPT_S = 90 * DAY_S
"""For how long measures are kept."""

ONE_MERGER = 0x4D454153
"""The advisory lock of whoever merges in Postgres; SQLite has one writer anyway."""

Merged = Callable[[str, str], str]
"""Makes one body of two."""


class Measured(NamedTuple):
    """What one side came to in the `span` seconds from `start` on, as JSON text; `step` is -1 without a rollout."""

    span: int
    start: int
    route: str
    side: str
    rollout: str
    step: int
    body: str


class Measures(Database):
    """A database that keeps measures. Every method raises StoreUnavailableError."""

    async def add_measures(self, rows: Sequence[Measured], merged: Merged) -> None:
        """Merge rows into those there are, all or none."""
        if rows:
            await self._write(lambda connection: _add(connection, rows, merged))

    async def measures(self, route: str | None, since: int, span: int) -> Sequence[Measured]:
        """Return what was counted of a route, None for all, in the stretches of `span` that began at `since` or later.

        The oldest are first.
        """
        wanted = select(MEASURES).where(MEASURES.c.span == span, MEASURES.c.start >= since)
        if route is not None:
            wanted = wanted.where(MEASURES.c.route == route)
        found = await self._read(lambda connection: connection.execute(wanted.order_by(MEASURES.c.start)).all())
        return [Measured(*row) for row in found]

    async def forget_measures(self, now: datetime) -> None:
        """Forget what has been kept for long enough."""
        old = delete(MEASURES).where(MEASURES.c.start < int(now.timestamp()) - KEPT_S)
        await self._write(lambda connection: connection.execute(old))


def _add(connection: Connection, rows: Sequence[Measured], merged: Merged) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(ONE_MERGER)))
    is_one_of_them = tuple_(MEASURES.c.span, MEASURES.c.start).in_({(row.span, row.start) for row in rows})
    found = (Measured(*row) for row in connection.execute(select(MEASURES).where(is_one_of_them)))
    bodies = {row[:-1]: row.body for row in found}
    for row in rows:
        before = bodies.get(row[:-1])
        bodies[row[:-1]] = row.body if before is None else merged(before, row.body)
    adding = insert_into(connection, MEASURES)
    adding = adding.on_conflict_do_update(index_elements=Measured._fields[:-1], set_={"body": adding.excluded.body})
    connection.execute(adding, [Measured(*row[:-1], bodies[row[:-1]])._asdict() for row in rows])
