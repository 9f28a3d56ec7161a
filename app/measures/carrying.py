"""Carries what was counted to SQL every few seconds, where it is added to what other processes counted."""

import asyncio
from collections.abc import Callable

import structlog

from app.measures.book import Book, Minute
from app.measures.counts import Counts, merged_text
from app.stores.measures import MINUTE_S, SPANS, Measure, Measures
from app.stores.records import StoreUnavailableError

log = structlog.get_logger("crossfade.measures")

EVERY_S = 5.0
"""How often, give or take a fifth by chance: a crash loses that much."""

LAST_S = 2.0
"""How long a stop waits for the last of it."""


class Carrier:
    """Carries each number once, and gives it back while SQL is away."""

    def __init__(self, book: Book, kept: Measures, chance: Callable[[], float]) -> None:
        self._book = book
        self._kept = kept
        self._chance = chance
        self._turn = asyncio.Lock()
        self._carrying: asyncio.Task[None] | None = None
        self._is_away = False

    async def run(self) -> None:
        """Carry until cancelled; what is being carried then goes on to its end."""
        while True:
            await asyncio.sleep(EVERY_S * (0.8 + 0.4 * self._chance()))
            self._carrying = asyncio.create_task(self.carry())
            await asyncio.shield(self._carrying)

    async def close(self) -> None:
        """Carry what is left, if that goes within LAST_S."""
        try:
            async with asyncio.timeout(LAST_S):
                await self.carry()
        except TimeoutError:
            log.warning("the last measures are lost: SQL does not answer")

    async def carry(self) -> None:
        """Carry everything; while SQL is away it stays here, and that is logged once."""
        try:
            await self.settle()
        except StoreUnavailableError as error:
            if not self._is_away:
                log.warning("measures wait for SQL", why=str(error))
            self._is_away = True
        except Exception:
            # whatever it was: measures that nobody carries any more would be lost for good
            log.exception("carrying measures failed, and goes on")
        else:
            self._is_away = False

    async def settle(self) -> None:
        """Carry everything. Raises StoreUnavailableError, and nothing is lost then."""
        async with self._turn:
            taken = self._book.take()
            if not taken:
                return
            try:
                await self._kept.add_measures(_measures_of(taken), merged_text)
            except Exception:
                self._book.take_back(taken)
                raise


def _measures_of(taken: dict[Minute, Counts]) -> list[Measure]:
    """Return each minute's counts, and those of each longer span together."""
    return [Measure(span, *key, counts.as_json()) for span in SPANS for key, counts in _together(taken, span).items()]


def _together(taken: dict[Minute, Counts], span: int) -> dict[Minute, Counts]:
    if span == MINUTE_S:
        return taken
    together: dict[Minute, Counts] = {}
    for (minute, route, side, rollout, step), counts in taken.items():
        together.setdefault((minute // span * span, route, side, rollout, step), Counts()).merge(counts)
    return together
