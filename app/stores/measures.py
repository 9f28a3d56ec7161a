"""What was counted by minute, hour, quarter of a day and day, kept in SQL: processes add to it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select, tuple_

from app.stores.database import Database, insert_into
from app.stores.schema import MEASURES

MINUTE_S, HOUR_S, QUARTER_S, DAY_S = 60, 3600, 21_600, 86_400
SPANS = (MINUTE_S, HOUR_S, QUARTER_S, DAY_S)
"""What is kept of: by quarters of a day and days too, so that what a month came to is read within a moment."""

MEASURES_KEPT_S = 90 * DAY_S
"""For how long they are kept."""

ONE_ADDER = 0x4D454153
"""The advisory lock of whoever adds in Postgres; SQLite has one writer anyway."""

AT_ONCE = 20
"""Measures of one question: merged within a few milliseconds, in which the process answers nobody."""


class Measure(NamedTuple):
    """Counts as JSON text: of `span` seconds from `start` on, which is in seconds since 1970.

    `rollout` is "" and `step` -1 for what belongs to none.
    """

    span: int
    start: int
    route: str
    side: str
    rollout: str
    step: int
    body: str


class Measures(Database):
    """A database that keeps measures. Every method raises StoreUnavailableError."""

    async def add_measures(self, measures: Sequence[Measure], merge: Callable[[str, str], str]) -> None:
        """Merge measures with what is kept of the same, all or none; `merge` makes two bodies one."""

        def add(connection: Connection) -> None:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(ONE_ADDER)))
            for start in range(0, len(measures), AT_ONCE):
                _add(connection, measures[start : start + AT_ONCE], merge)

        await self._write(add)

    async def measures(self, route: str | None, since: int, span: int) -> Sequence[Measure]:
        """Return what was counted from a time on, of one route or of all, the oldest first."""
        wanted = select(MEASURES).where(MEASURES.c.span == span, MEASURES.c.start >= since)
        if route is not None:
            wanted = wanted.where(MEASURES.c.route == route)
        found = await self._read(lambda connection: connection.execute(wanted.order_by(*_PLACE)).all())
        return [Measure(*row) for row in found]

    async def prune_measures(self, before: int, limit: int) -> int:
        """Forget what began before a time, in seconds since 1970, `limit` of each span at most, and return how many."""

        def prune(connection: Connection) -> int:
            return sum(_prune(connection, span, before, limit) for span in SPANS)

        return await self._write(prune)


_PLACE = tuple(column for column in MEASURES.c if column.name != "body")


def _add(connection: Connection, measures: Sequence[Measure], merge: Callable[[str, str], str]) -> None:
    places = [each[:-1] for each in measures]
    found = connection.execute(select(MEASURES).where(tuple_(*_PLACE).in_(places)))
    kept = {tuple(row[:-1]): row.body for row in found}
    rows = [
        each._replace(body=merge(kept[place], each.body))._asdict() if place in kept else each._asdict()
        for place, each in zip(places, measures, strict=True)
    ]
    adding = insert_into(connection, MEASURES)
    connection.execute(
        adding.on_conflict_do_update(index_elements=[*_PLACE], set_={"body": adding.excluded.body}), rows
    )


def _prune(connection: Connection, span: int, before: int, limit: int) -> int:
    is_over = (MEASURES.c.span == span) & (MEASURES.c.start < before)
    some = select(*_PLACE).where(is_over).order_by(*_PLACE).limit(limit)
    return connection.execute(delete(MEASURES).where(tuple_(*_PLACE).in_(some))).rowcount
