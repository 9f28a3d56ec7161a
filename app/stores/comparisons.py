"""What comparisons came to, kept in SQL: counts that processes add to, and the worst examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select

from app.stores.database import Database, insert_into
from app.stores.schema import COMPARISONS, EXAMPLES

HOUR_S = 3600

KEPT_S = 90 * 24 * HOUR_S
"""For how long counts are kept."""

_PLACE = ("route", "control", "candidate", "hour", "name")


class Counted(NamedTuple):
    """One count; `hour` is when its hour began, in seconds since 1970, `number` what to add or the sum."""

    route: str
    control: str
    candidate: str
    hour: int
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Example:
    """Two answers that differ: `millionths` is how far they agree, `body` JSON text that was redacted before."""

    route: str
    control: str
    candidate: str
    decision_id: str
    at: datetime
    expires_at: datetime
    millionths: int
    body: str


class Comparisons(Database):
    """A database that keeps comparisons. Every method raises StoreUnavailableError."""

    async def add_comparisons(
        self, counted: Sequence[Counted], examples: Sequence[Example], most: Mapping[str, int], now: datetime
    ) -> None:
        """Add to the counts, and keep the worst examples of each route, as many as `most` says; all or nothing."""

        def add(connection: Connection) -> None:
            _add(connection, counted)
            if examples:
                connection.execute(insert(EXAMPLES), [_row(each) for each in examples])
            for route, keep in most.items():
                _forget(connection, route, keep, now)

        await self._write(add)

    async def forget_comparisons(self, now: datetime) -> None:
        """Forget what has expired."""

        def forget(connection: Connection) -> None:
            connection.execute(delete(EXAMPLES).where(EXAMPLES.c.expires_at <= now))
            connection.execute(delete(COMPARISONS).where(COMPARISONS.c.hour < int(now.timestamp()) - KEPT_S))

        await self._write(forget)

    async def comparison_counts(self, route: str, since: int) -> Sequence[Counted]:
        """Return the sums of a route's counts over the hours from `since` on; their `hour` is the first of each sum."""
        places = (COMPARISONS.c.route, COMPARISONS.c.control, COMPARISONS.c.candidate)
        first, total = func.min(COMPARISONS.c.hour), func.sum(COMPARISONS.c.count)
        wanted = select(*places, first, COMPARISONS.c.name, total).where(
            COMPARISONS.c.route == route, COMPARISONS.c.hour >= since
        )
        wanted = wanted.group_by(*places, COMPARISONS.c.name).order_by(*places)
        found = await self._read(lambda connection: connection.execute(wanted).all())
        return [Counted(*row[:5], int(row[5])) for row in found]

    async def worst_examples(self, route: str, since: datetime, now: datetime, limit: int) -> Sequence[Example]:
        """Return what agreed least since a time and has not expired, the newest of equal ones first."""
        columns = [column for column in EXAMPLES.c if column.name != "seq"]
        wanted = select(*columns).where(EXAMPLES.c.route == route, EXAMPLES.c.at >= since, EXAMPLES.c.expires_at > now)
        wanted = wanted.order_by(EXAMPLES.c.millionths, EXAMPLES.c.seq.desc()).limit(limit)
        found = await self._read(lambda connection: connection.execute(wanted).all())
        return [Example(**row._asdict()) for row in found]


def _add(connection: Connection, counted: Sequence[Counted]) -> None:
    if not counted:
        return
    adding = insert_into(connection, COMPARISONS)
    total = COMPARISONS.c.count + adding.excluded.count
    adding = adding.on_conflict_do_update(index_elements=_PLACE, set_={"count": total})
    # in one order everywhere, so that no two processes wait for each other's rows
    names = [*_PLACE, COMPARISONS.c.count.name]
    connection.execute(adding, [dict(zip(names, each, strict=True)) for each in sorted(counted)])


def _forget(connection: Connection, route: str, keep: int, now: datetime) -> None:
    is_of_route = EXAMPLES.c.route == route
    worst = select(EXAMPLES.c.seq).where(is_of_route, EXAMPLES.c.expires_at > now)
    worst = worst.order_by(EXAMPLES.c.millionths, EXAMPLES.c.seq.desc()).limit(keep)
    connection.execute(delete(EXAMPLES).where(is_of_route, EXAMPLES.c.seq.not_in(worst)))


def _row(example: Example) -> dict[str, Any]:
    return {name: getattr(example, name) for name in Example.__slots__}
