"""Carries what waits in memory to SQL, every so often and once more at the end."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

import structlog

from app.stores.records import StoreUnavailableError

log = structlog.get_logger("crossfade.carrier")

LAST_S = 2.0
"""How long a stop waits for the last of it."""


class Carrier(ABC):
    """What can be carried at any time, by whoever asks, and is carried by itself meanwhile."""

    def __init__(self, what: str, every_s: float, chance: Callable[[], float]) -> None:
        """Take what waits, in the words of the log; `every_s` is give or take a fifth: a crash loses that much."""
        self._what = what
        self._every_s = every_s
        self._chance = chance
        self._carrying: asyncio.Task[None] | None = None
        self._is_away = False

    @abstractmethod
    async def settle(self) -> None:
        """Carry everything. Raises StoreUnavailableError, and nothing is lost then."""

    async def run(self) -> None:
        """Carry until cancelled; what is being carried then goes on to its end."""
        while True:
            await asyncio.sleep(self._every_s * (0.8 + 0.4 * self._chance()))
            self._carrying = asyncio.create_task(self.carry())
            await asyncio.shield(self._carrying)

    async def close(self) -> None:
        """Carry what is left, if that goes within LAST_S."""
        try:
            async with asyncio.timeout(LAST_S):
                await self.carry()
        except TimeoutError:
            log.warning("the last of it is lost: SQL does not answer", what=self._what)

    async def carry(self) -> None:
        """Carry everything; while SQL is away it stays here, and that is logged once."""
        try:
            await self.settle()
        except StoreUnavailableError as error:
            if not self._is_away:
                log.warning("waits for SQL", what=self._what, why=str(error))
            self._is_away = True
        except Exception:
            # whatever it was: what nobody carries any more would be lost for good
            log.exception("carrying failed, and goes on", what=self._what)
        else:
            self._is_away = False
