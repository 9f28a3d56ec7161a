"""How many calls of the last seconds failed, and how many were slow."""

import math
from typing import NamedTuple


class Counts(NamedTuple):
    """So many calls ended, of which so many failed and were slow."""

    calls: int
    failures: int
    slow_calls: int


class Window:
    """A sliding window over the current second and the `seconds` - 1 before it, in one-second buckets.

    `calls`, `failures` and `slow_calls` are the totals as of the last `add` or `slide`. A time before the
    newest second seen counts into that second. `ever` is what was added in all.
    """

    __slots__ = (
        "_calls",
        "_ends",
        "_failures",
        "_forgotten",
        "_place",
        "_second",
        "_slow_calls",
        "calls",
        "failures",
        "slow_calls",
    )

    def __init__(self, seconds: int) -> None:
        self._calls = [0] * seconds
        self._failures = [0] * seconds
        self._slow_calls = [0] * seconds
        self._forgotten = Counts(0, 0, 0)
        self._second = 0
        self._ends = 1.0
        self._place = 0
        self.calls = 0
        self.failures = 0
        self.slow_calls = 0

    def add(self, now: float, *, failed: bool, slow: bool) -> None:
        """Count one call that ended at `now`."""
        if now >= self._ends:
            self.slide(now)
        place = self._place
        self._calls[place] += 1
        self.calls += 1
        if failed:
            self._failures[place] += 1
            self.failures += 1
        if slow:
            self._slow_calls[place] += 1
            self.slow_calls += 1

    def slide(self, now: float) -> None:
        """Forget what is too old at `now`."""
        second = math.floor(now)
        size = len(self._calls)
        for passed in range(max(self._second, second - size) + 1, second + 1):
            self._empty(passed % size)
        self._second = max(self._second, second)
        self._ends = self._second + 1.0
        self._place = self._second % size

    @property
    def ever(self) -> Counts:
        """What was added since the beginning, forgotten or not."""
        calls, failures, slow_calls = self._forgotten
        return Counts(calls + self.calls, failures + self.failures, slow_calls + self.slow_calls)

    def clear(self) -> None:
        """Forget everything."""
        for place in range(len(self._calls)):
            self._empty(place)

    def _empty(self, place: int) -> None:
        calls, failures, slow_calls = self._forgotten
        self._forgotten = Counts(
            calls + self._calls[place], failures + self._failures[place], slow_calls + self._slow_calls[place]
        )
        self.calls -= self._calls[place]
        self.failures -= self._failures[place]
        self.slow_calls -= self._slow_calls[place]
        self._calls[place] = self._failures[place] = self._slow_calls[place] = 0
