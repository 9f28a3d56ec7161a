"""Quantiles of what several processes saw: counts in buckets that grow by a factor, which are added to be merged.

A DDSketch (Masson, Rim, Lee; PVLDB 12(12), 2019): whatever value a quantile has, the answer is within 1 % of it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
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

    def values(self) -> Iterator[tuple[float, int]]:
        """Yield the value that stands for each bucket, and how often it was."""
        if self.zeros:
            yield 0.0, self.zeros
        for bucket, count in self.buckets.items():
            yield value_of(bucket), count

    def ranked(self) -> "Ranked":
        """Return the values in their order."""
        buckets = sorted(self.buckets)
        counts = (self.zeros, *(self.buckets[bucket] for bucket in buckets))
        return Ranked(buckets, [*accumulate(counts)])

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


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sketch's buckets, the lowest first; how many values are zero, and how many up to the end of each bucket."""

    buckets: Sequence[int]
    up_to: Sequence[int]

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.up_to[-1]

    def at(self, rank: float) -> float:
        """Return the value that so many others do not pass, 0 for the lowest. Raises IndexError when there is none."""
        found = bisect_right(self.up_to, rank)
        return value_of(self.buckets[found - 1]) if found else 0.0

    def quantile(self, share: float) -> float | None:
        """Return the value that a share of all do not pass, 0 to 1, within 1 %; None of nothing."""
        return self.at(share * (self.count - 1)) if self.count else None


@lru_cache(maxsize=4096)
def value_of(bucket: int) -> float:
    """Return the value that stands for all of a bucket."""
    return 2 * GROWTH**bucket / (GROWTH + 1)
