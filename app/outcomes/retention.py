"""Forgets outcomes that have been kept for long enough, a few at a time."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from app.clock import Clock
from app.settings import Settings
from app.stores.outcomes import SqlOutcomes
from app.stores.records import StoreUnavailableError

log = structlog.get_logger("crossfade.outcomes")

AT_ONCE = 2000
"""Outcomes of one step, which holds writers up for milliseconds."""

EVERY_S = 60.0
"""How often is looked whether there are any; up to as long again by chance, so that processes take turns."""

BETWEEN_STEPS_S = 0.1


class Retention:
    """Prunes as long as the service runs; of several processes one at a time does."""

    def __init__(self, outcomes: SqlOutcomes, settings: Settings, clock: Clock, chance: Callable[[], float]) -> None:
        self._outcomes = outcomes
        self._kept = timedelta(days=settings.outcome_retention_days)
        self._clock = clock
        self._chance = chance

    async def run(self) -> None:
        """Prune until cancelled; a database that is away is asked again the next time."""
        while True:
            await asyncio.sleep(EVERY_S * (1 + self._chance()))
            try:
                await self.prune()
            except StoreUnavailableError as error:
                log.warning("outcomes are not pruned", why=str(error))

    async def prune(self) -> int:
        """Forget what is over, step by step, and return how many that were. Raises StoreUnavailableError."""
        pruned = 0
        while step := await self._outcomes.prune(self._clock.now() - self._kept, AT_ONCE):
            pruned += step
            await asyncio.sleep(BETWEEN_STEPS_S)
        return pruned
