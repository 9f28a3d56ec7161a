"""The way of alerts into the database: at once if it is there, and else as soon as it is back."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from app.alerts.acting import SAME_S
from app.alerts.model import again
from app.stores.alerts import AlertRow, Alerts
from app.stores.records import StoreRefusedError, StoreUnavailableError

log = structlog.get_logger("crossfade.alerts")

PATIENCE_S = 2.0
"""For how long somebody who brings alerts is kept waiting for the database."""

AGAIN_S = 2.0
MOST_WAITING = 1000


@dataclass(eq=False)
class _Batch:
    rows: Sequence[AlertRow]
    kept: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Keeping:
    """Keeps alerts in the order in which they came, for as long as `run` runs."""

    def __init__(self, store: Alerts) -> None:
        self._store = store
        self._waiting: deque[_Batch] = deque()
        self._news = asyncio.Event()

    async def keep(self, rows: Sequence[AlertRow]) -> bool:
        """Keep alerts, and say whether they are; false when the database takes longer: they are kept later."""
        batch = _Batch(rows)
        self._waiting.append(batch)
        while sum(len(each.rows) for each in self._waiting) > MOST_WAITING and len(self._waiting) > 1:
            log.error("alerts are not kept: the database is away", alerts=len(self._waiting.popleft().rows))
        self._news.set()
        await asyncio.wait({batch.kept}, timeout=PATIENCE_S)
        return batch.kept.done()

    async def run(self) -> None:
        """Keep what comes until cancelled."""
        is_away = False
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                is_away = await self._write_all(is_away=is_away)
                if is_away:
                    await asyncio.sleep(AGAIN_S)
                    self._news.set()
        finally:
            if self._waiting:
                log.error(
                    "alerts are not kept: the service stops", alerts=sum(len(each.rows) for each in self._waiting)
                )

    async def _write_all(self, *, is_away: bool) -> bool:
        """Write what waits, and return whether the database is away."""
        while self._waiting:
            batch = self._waiting[0]
            try:
                await self._store.add_alerts(batch.rows, SAME_S, again)
            except StoreRefusedError as error:
                log.error("alerts are not kept: the database refuses them", why=str(error))  # noqa: TRY400 - told, not traced
            except StoreUnavailableError as error:
                if not is_away:
                    log.warning("alerts wait: they cannot be written", why=str(error))
                return True
            if self._waiting and self._waiting[0] is batch:
                self._waiting.popleft()
            batch.kept.set_result(None)
        return False
