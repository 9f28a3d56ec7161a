"""Where alerts come in: first what is to be done is done, then they are kept."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from app.alerts.acting import Acting
from app.alerts.keeping import Keeping
from app.alerts.model import Alert, Did, Handled, Status
from app.clock import Clock
from app.metrics import Metrics
from app.stores.alerts import AlertRow, Alerts

log = structlog.get_logger("crossfade.alerts")

AT_ONCE = 50
"""Alerts that are gone through before other work gets its turn."""

MOST_KEPT = 500
"""Alerts of one body that are kept; all of them are acted on."""


class Taken(NamedTuple):
    """What became of the alerts of a body, in the order they were given; `is_kept`: and that is in the database."""

    handled: Sequence[Handled]
    is_kept: bool


class Desk:
    """Takes alerts in; `store` has those that are kept."""

    def __init__(self, acting: Acting, keeping: Keeping, store: Alerts, metrics: Metrics, clock: Clock) -> None:
        self.store = store
        self._acting = acting
        self._keeping = keeping
        self._metrics = metrics
        self._clock = clock

    async def take(self, alerts: Sequence[Alert], by: str) -> Taken:
        """Act on alerts that `by` has brought, the first ones first, and keep them."""
        handled: list[Handled] = []
        for number, alert in enumerate(alerts, 1):
            handled.append(await self._handled(alert, by))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        if not handled:
            return Taken([], is_kept=True)
        if len(handled) > MOST_KEPT:
            log.warning("not all alerts of a body are kept", alerts=len(handled), kept=MOST_KEPT)
        is_kept = await self._keeping.keep([self._row(each) for each in handled[:MOST_KEPT]])
        return Taken(handled, is_kept)

    async def _handled(self, alert: Alert, by: str) -> Handled:
        deed = await self._acting.on(alert, by)
        self._metrics.count_alert(alert.severity, deed.did)
        write = log.debug if deed.did is Did.NOTHING else log.warning
        write("alert", type=alert.type, severity=alert.severity, route=alert.route, did=deed.did, note=deed.note)
        return Handled(alert=alert, did=deed.did, note=deed.note, by=by)

    def _row(self, handled: Handled) -> AlertRow:
        alert = handled.alert
        is_resolved = alert.status is Status.RESOLVED
        now, body = self._clock.now(), handled.model_dump_json()
        return AlertRow(alert.fingerprint, now, alert.severity, alert.route or "", is_resolved, body)
