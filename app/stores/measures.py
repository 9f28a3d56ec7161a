"""Measures in an SQL database: what processes counted, merged by minute and hour."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from app.stores.database import Database
from app.stores.schema import MEASURES

MINUTE_S, HOUR_S, QUARTER_S, DAY_S = 60, 3600, 21_600, 86_400
SPANS = (MINUTE_S, HOUR_S, QUARTER_S, DAY_S)
"""Seconds that a row is of: the longer ones are there so that a month is read within a moment."""

KEPT_S = 90 * DAY_S
"""For how long measures are kept."""

ONE_MERGER = 0x4D454153
"""The advisory lock of whoever merges in Postgres; SQLite has one writer anyway."""

_KEY = ("span", "start", "route", "side", "rollout", "step")


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

    async def add_measures(self, rows: Sequence[Measured], merged: Callable[[str, str], str]) -> None:
        """Merge rows into those there are, all or none; `merged` makes one body of two."""
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


def _add(connection: Connection, rows: Sequence[Measured], merged: Callable[[str, str], str]) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(ONE_MERGER)))
    for row in rows:
        is_it = [MEASURES.c[name] == value for name, value in zip(_KEY, row, strict=False)]
        before = connection.execute(select(MEASURES.c.body).where(*is_it)).scalar()
        if before is not None:
            connection.execute(delete(MEASURES).where(*is_it))
        body = row.body if before is None else merged(before, row.body)
        connection.execute(insert(MEASURES).values(**row._replace(body=body)._asdict()))
