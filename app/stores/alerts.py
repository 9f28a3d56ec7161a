"""What was raised and what was told, kept in SQL: alerts for 30 days, and the last notices."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

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
    """An alert as it is kept: it came `times` times, first `at` and last `last_at`; `seq` is 0 until it is kept."""

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

_Name = tuple[str, str]

_COLUMNS = tuple(ALERTS.c[name] for name in KeptAlert._fields)
_NOTICE = tuple(NOTICES.c[name] for name in NoticeRow._fields)


class Alerts(Database):
    """A database that keeps alerts and notices. Every method raises StoreUnavailableError."""

    async def add_alerts(self, rows: Sequence[AlertRow], same_s: float, again: Again) -> None:
        """Keep alerts, all or none; one that came within `same_s` before counts up."""

        def add(connection: Connection) -> None:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(ONE_WRITER)))
            _add(connection, rows, timedelta(seconds=same_s), again)
            over = rows[-1].at - timedelta(days=KEPT_DAYS)
            connection.execute(delete(ALERTS).where(ALERTS.c.last_at < over))

        if rows:
            await self._write(add)

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


def _add(connection: Connection, rows: Sequence[AlertRow], same: timedelta, again: Again) -> None:
    """Keep alerts with a few statements, however many they are: a storm comes in one body."""
    known = _newest(connection, {row.fingerprint for row in rows})
    changed: dict[_Name, KeptAlert] = {}
    for row in rows:
        name = (row.fingerprint, row.route)
        before = changed.get(name) or known.get(name)
        is_it = before is not None and (row.is_resolved or before.last_at > row.at - same)
        changed[name] = _counted_up(before, row, again) if before is not None and is_it else _first(row)
    made = [{"fingerprint": name[0], **_values(each)} for name, each in changed.items() if not each.seq]
    if made:
        connection.execute(insert(ALERTS), made)
    renewed = [{"its_seq": each.seq, **_values(each)} for each in changed.values() if each.seq]
    if renewed:
        connection.execute(update(ALERTS).where(ALERTS.c.seq == bindparam("its_seq")), renewed)


def _newest(connection: Connection, fingerprints: set[str]) -> Mapping[_Name, KeptAlert]:
    is_one = ALERTS.c.fingerprint.in_(fingerprints)
    last = select(func.max(ALERTS.c.seq)).where(is_one).group_by(ALERTS.c.fingerprint, ALERTS.c.route)
    found = connection.execute(select(ALERTS.c.fingerprint, *_COLUMNS).where(ALERTS.c.seq.in_(last))).all()
    return {(row.fingerprint, row.route): KeptAlert(*row[1:]) for row in found}


def _counted_up(before: KeptAlert, row: AlertRow, again: Again) -> KeptAlert:
    after = before._replace(body=again(before.body, row.body), severity=row.severity)
    return after if row.is_resolved else after._replace(times=before.times + 1, last_at=row.at)


def _first(row: AlertRow) -> KeptAlert:
    return KeptAlert(0, row.at, row.at, row.severity, row.route, 1, row.body)


def _values(kept: KeptAlert) -> dict[str, Any]:
    return {name: value for name, value in kept._asdict().items() if name != "seq"}
