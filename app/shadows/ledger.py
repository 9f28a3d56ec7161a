"""What comparisons came to, in memory until it is carried to SQL every few seconds."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from app.background import running
from app.carrier import Carrier
from app.clock import Clock
from app.stores.comparisons import HOUR_S, Comparisons, Counted, Example
from app.stores.records import StoreUnavailableError
from routers.compare.counts import Counts

log = structlog.get_logger("crossfade.shadow")

EVERY_S = 2.0
"""How often, give or take a fifth by chance: a crash loses that much."""

MOST_PLACES = 2000
"""How many pairs and hours are held while SQL is away; what comes beyond is lost, and logged."""


class Place(NamedTuple):
    """Whose counts they are."""

    route: str
    control: str
    candidate: str


class Ledger(Carrier):
    """Adds up what this process saw; each number is carried once, and kept until SQL has taken it."""

    def __init__(self, kept: Comparisons, clock: Clock, chance: Callable[[], float]) -> None:
        super().__init__("comparisons", EVERY_S, chance)
        self._kept = kept
        self._clock = clock
        self._counts: dict[tuple[Place, int], Counter[str]] = {}
        self._examples: dict[str, list[Example]] = {}
        self._most: dict[str, int] = {}
        self._turn = asyncio.Lock()

    def count(self, place: Place, counts: Counts) -> None:
        """Add to what a pair has come to within this hour."""
        hour = int(self._clock.wall()) // HOUR_S * HOUR_S
        found = self._counts.get((place, hour))
        if found is None:
            if len(self._counts) >= MOST_PLACES:
                log.warning("comparisons are lost: SQL is away for too long", route=place.route)
                return
            found = self._counts[place, hour] = Counter()
        found.update(counts)

    def keep(self, example: Example, most: int) -> None:
        """Keep an example if it is among the worst of its route that wait to be carried."""
        self._most[example.route] = most
        waiting = [*self._examples.get(example.route, ()), example]
        waiting.sort(key=lambda each: each.millionths)
        self._examples[example.route] = waiting[:most]

    async def run(self) -> None:
        """Carry, and forget what has expired, until cancelled."""
        async with running(self._forget_now_and_then()):
            await super().run()

    async def _forget_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(HOUR_S)
            await self.forget()

    async def forget(self) -> None:
        """Forget what has expired; while SQL is away nobody is shown it, and it is forgotten later."""
        with contextlib.suppress(StoreUnavailableError):
            await self._kept.forget_comparisons(self._clock.now())

    async def settle(self) -> None:
        """Carry everything. Raises StoreUnavailableError, and nothing is lost then."""
        async with self._turn:
            if not self._counts and not self._examples:
                return
            counts, self._counts = self._counts, {}
            examples, self._examples = self._examples, {}
            try:
                await self._kept.add_comparisons(
                    [Counted(*place, hour, *each) for (place, hour), named in counts.items() for each in named.items()],
                    [example for those in examples.values() for example in those],
                    {route: self._most[route] for route in examples},
                    self._clock.now(),
                )
            except StoreUnavailableError:
                self._take_back(counts, examples)
                raise

    async def read(self, route: str, since: float, limit: int) -> tuple[Mapping[Place, Counts], Sequence[Example]]:
        """Return what a route has come to from the hour of `since` on, of every process, and its worst examples.

        Raises StoreUnavailableError.
        """
        await self.settle()
        hour = int(since) // HOUR_S * HOUR_S
        found: dict[Place, dict[str, int]] = {}
        for each in await self._kept.comparison_counts(route, hour):
            found.setdefault(Place(*each[:3]), {})[each.name] = each.number
        from_then = datetime.fromtimestamp(hour, UTC)
        return found, await self._kept.worst_examples(route, from_then, self._clock.now(), limit)

    def _take_back(self, counts: dict[tuple[Place, int], Counter[str]], examples: dict[str, list[Example]]) -> None:
        for at, found in self._counts.items():
            counts.setdefault(at, Counter()).update(found)
        self._counts = counts
        for those in examples.values():
            for example in those:
                self.keep(example, self._most[example.route])
