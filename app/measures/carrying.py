"""Carries what was counted to SQL every few seconds, where it is added to what other processes counted."""

import asyncio
from collections.abc import Callable

from app.carrier import Carrier
from app.measures.book import Book, Minute
from app.measures.counts import Counts, merged_text
from app.stores.measures import MINUTE_S, SPANS, Measure, Measures

EVERY_S = 5.0
"""How often, give or take a fifth by chance: a crash loses that much."""


class MeasureCarrier(Carrier):
    """Carries each number once, and gives it back while SQL is away."""

    def __init__(self, book: Book, kept: Measures, chance: Callable[[], float]) -> None:
        super().__init__("measures", EVERY_S, chance)
        self._book = book
        self._kept = kept
        self._turn = asyncio.Lock()

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
