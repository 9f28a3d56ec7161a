"""What was raised and what was told, kept in SQL: alerts for 30 days, and the last notices."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from app.stores.database import Database
from app.stores.schema import ALERTS, NOTICES

KEPT_DAYS = 30
"""For how long an alert is kept after it came last."""

MOST_NOTICES = 1000

ONE_WRITER = 0x414C5254
"""The advisory lock of whoever adds alerts in Postgres, so that none is there twice; SQLite has one writer anyway."""


class AlertRow(NamedTuple):
    """An alert that came in; `route` is "" for none, `body` JSON text. What is resolved ends the one that it is."""

    fingerprint: str
    at: datetime
    severity: str
    route: str
    is_resolved: bool
    body: str


class KeptAlert(NamedTuple):
    """An alert as it is kept: it came `times` times, first `at` and last `last_at`."""

    seq: int
    at: datetime
    last_at: datetime
    severity: str
    route: str
    times: int
    body: str


class WantedAlerts(NamedTuple):
    """Which alerts are asked for; None is any. `since` is about when it came last."""

    severity: str | None = None
    route: str | None = None
    since: datetime | None = None


class NoticeRow(NamedTuple):
    """What was told, or could not be: `body` is JSON text; `seq` is 0 until it is kept."""

    seq: int
    at: datetime
    kind: str
    body: str


Again = Callable[[str, str], str]
"""Says what is kept of a body and the one with which the same alert came again."""

_COLUMNS = tuple(ALERTS.c[name] for name in KeptAlert._fields)
_NOTICE = tuple(NOTICES.c[name] for name in NoticeRow._fields)


class Alerts(Database):
    """A database that keeps alerts and notices. Every method raises StoreUnavailableError."""

    async def add_alerts(self, rows: Sequence[AlertRow], same_s: float, again: Again) -> Sequence[KeptAlert]:
        """Keep alerts in order, and return them as they are kept; one that came within `same_s` before counts up."""

        def add(connection: Connection) -> Sequence[KeptAlert]:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(ONE_WRITER)))
            kept = [_add(connection, row, timedelta(seconds=same_s), again) for row in rows]
            if rows:
                over = rows[-1].at - timedelta(days=KEPT_DAYS)
                connection.execute(delete(ALERTS).where(ALERTS.c.last_at < over))
            return kept

        return await self._write(add)

    async def alerts(self, wanted: WantedAlerts, before: int | None, limit: int) -> Sequence[KeptAlert]:
        """Return the wanted alerts, newest first: those with a `seq` below `before`."""
        question = select(*_COLUMNS).order_by(ALERTS.c.seq.desc()).limit(limit)
        for name in ("severity", "route"):
            if (value := getattr(wanted, name)) is not None:
                question = question.where(ALERTS.c[name] == value)
        if wanted.since is not None:
            question = question.where(ALERTS.c.last_at >= wanted.since)
        if before is not None:
            question = question.where(ALERTS.c.seq < before)
        found = await self._read(lambda connection: connection.execute(question).all())
        return [KeptAlert(*row) for row in found]

    async def add_notices(self, rows: Sequence[NoticeRow]) -> None:
        """Keep notices, and forget all but the last."""

        def add(connection: Connection) -> None:
            connection.execute(insert(NOTICES), [{"at": row.at, "kind": row.kind, "body": row.body} for row in rows])
            newest = connection.execute(select(func.max(NOTICES.c.seq))).scalar_one()
            connection.execute(delete(NOTICES).where(NOTICES.c.seq <= newest - MOST_NOTICES))

        await self._write(add)

    async def notices(self) -> Sequence[NoticeRow]:
        """Return the notices that are kept, newest first."""
        question = select(*_NOTICE).order_by(NOTICES.c.seq.desc()).limit(MOST_NOTICES)
        found = await self._read(lambda connection: connection.execute(question).all())
        return [NoticeRow(*row) for row in found]


def _add(connection: Connection, row: AlertRow, same: timedelta, again: Again) -> KeptAlert:
    before = connection.execute(_newest(row, same)).one_or_none()
    if before is None:
        return _insert(connection, row)
    known = KeptAlert(*before)
    changed: dict[str, Any] = {"body": again(known.body, row.body), "severity": row.severity}
    if not row.is_resolved:
        changed |= {"times": known.times + 1, "last_at": row.at}
    connection.execute(update(ALERTS).where(ALERTS.c.seq == known.seq).values(changed))
    return known._replace(**changed)


def _newest(row: AlertRow, same: timedelta) -> Select[Any]:
    is_it = (ALERTS.c.fingerprint == row.fingerprint, ALERTS.c.route == row.route)
    newest = select(*_COLUMNS).where(*is_it).order_by(ALERTS.c.seq.desc()).limit(1)
    return newest if row.is_resolved else newest.where(ALERTS.c.last_at > row.at - same)


def _insert(connection: Connection, row: AlertRow) -> KeptAlert:
    fields: dict[str, Any] = {name: getattr(row, name) for name in ("at", "severity", "route", "body")}
    fields |= {"last_at": row.at, "times": 1}
    made = insert(ALERTS).values(fingerprint=row.fingerprint, **fields).returning(ALERTS.c.seq)
    return KeptAlert(seq=connection.execute(made).scalar_one(), **fields)
