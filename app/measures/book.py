"""What this process has counted, minute by minute, until somebody takes it."""

from typing import NamedTuple

import structlog

from app.clock import Clock
from app.measures.counts import Counts
from app.measures.ended import Ended
from app.metrics import Metrics
from app.stores.measures import MINUTE_S
from routers.profiles.signals import NO_SIGNALS

log = structlog.get_logger("crossfade.measures")

MOST_MINUTES = 5000
"""How many minutes of how many places are held while SQL is away; what comes beyond is lost, logged, and counted."""


Minute = tuple[int, str, str, str, int]
"""A minute by its begin in seconds since 1970, and the place whose counts they are."""


class Place(NamedTuple):
    """Whose counts they are; `rollout` is "" and `step` -1 for calls that no rollout's chance decided."""

    route: str
    side: str
    rollout: str = ""
    step: int = -1


# what a named tuple's own constructor calls, at half the price: this is the hot path
place_of = tuple.__new__


class Book:
    """Counts what this process sees; each number is given away once."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._minute = 0
        self._current: dict[Place, Counts] = {}
        self._before: dict[Minute, Counts] = {}
        self._loses = False

    def count_call(self, place: Place, ended: Ended) -> None:
        """Count a call that has ended."""
        counts = self._of(place)
        answered, cache, signals = ended.carried.backend, ended.cache, ended.signals
        counts.calls += 1
        if ended.is_error:
            counts.errors += 1
            if ended.is_failure:
                counts.failures += 1
        if answered is not None:
            by = counts.answered
            by[answered] = by.get(answered, 0) + 1
            if answered != place[1]:
                counts.fallbacks += 1
        if cache == "hit":
            counts.hits += 1
        elif cache is not None and cache != "bypass":
            counts.misses += 1
        counts.latency.add(ended.ms)
        if signals is not NO_SIGNALS:
            counts.add_signal("score", signals.score)
            counts.add_signal("cost", signals.cost)
            counts.add_signal("tokens", signals.tokens)

    def count_outcome(self, place: Place, kind: str, value: float) -> None:
        """Count an outcome that was taken in."""
        self._of(place).add_outcome(kind, value)

    def count_opened(self, route: str, backend: str) -> None:
        """Count that a breaker has opened."""
        self._of(Place(route, backend)).opened += 1

    def _of(self, place: Place) -> Counts:
        if not 0 <= self._clock.wall() - self._minute < MINUTE_S:
            self._turn_over()
        counts = self._current.get(place)
        if counts is None:
            counts = Counts()
            if len(self._current) + len(self._before) < MOST_MINUTES:
                self._current[place] = counts
            else:
                self._lose(place)
        return counts

    def _turn_over(self) -> None:
        """Begin another minute; also an earlier one, when the clock was set back."""
        for place, counts in self._current.items():
            self._before.setdefault((self._minute, *place), Counts()).merge(counts)
        self._current = {}
        self._minute = int(self._clock.wall()) // MINUTE_S * MINUTE_S

    def _lose(self, place: Place) -> None:
        self._metrics.count_lost_measure()
        if not self._loses:
            log.warning("measures are lost: SQL is away for too long", route=place.route)
        self._loses = True

    def take(self) -> dict[Minute, Counts]:
        """Give everything away that was counted."""
        self._turn_over()
        taken, self._before = self._before, {}
        return taken

    def take_back(self, taken: dict[Minute, Counts]) -> None:
        """Keep what nobody took, with what was counted meanwhile."""
        for key, counts in self._before.items():
            taken.setdefault(key, Counts()).merge(counts)
        self._before = taken
