"""Quantiles of what several processes saw: counts in buckets that grow by a factor, which are added to be merged.

A DDSketch (Masson, Rim, Lee; PVLDB 12(12), 2019): whatever value a quantile has, the answer is within 1 % of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, log
from typing import Any

ACCURACY = 0.01
GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
PER_LOG = 1 / log(GROWTH)

SMALLEST = 1e-6
"""From here down everything is zero."""


@dataclass(slots=True)
class Sketch:
    """How many values there were, their sum, and how many of them in each bucket; values are not below 0."""

    count: int = 0
    total: float = 0.0
    zeros: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, value: float) -> None:
        """Count one value."""
        self.count += 1
        if value <= SMALLEST:
            self.zeros += 1
            return
        self.total += value
        at = ceil(log(value) * PER_LOG)
        buckets = self.buckets
        buckets[at] = buckets.get(at, 0) + 1

    def merge(self, other: "Sketch") -> None:
        """Count what another has counted."""
        self.count += other.count
        self.total += other.total
        self.zeros += other.zeros
        for at, count in other.buckets.items():
            self.buckets[at] = self.buckets.get(at, 0) + count

    @property
    def mean(self) -> float | None:
        """The mean, None of nothing."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Return the value that a share of all do not pass, 0 to 1, within 1 %; None of nothing."""
        if not self.count:
            return None
        rank, passed = share * (self.count - 1), self.zeros
        if passed > rank:
            return 0.0
        last = 0
        for at, count in sorted(self.buckets.items()):
            last, passed = at, passed + count
            if passed > rank:
                break
        return 2 * GROWTH**last / (GROWTH + 1)

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "count": self.count,
            "total": self.total,
            "zeros": self.zeros,
            "buckets": [*map(list, self.buckets.items())],
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Sketch":
        """Read what `as_json` has written."""
        return cls(told["count"], told["total"], told["zeros"], dict(told["buckets"]))
