"""A sketch of a distribution: counts by buckets whose width is a share of their value, as DDSketch has them."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

ACCURACY = 0.01
"""How far a quantile may be off, as a share of itself."""

GAMMA = (1 + ACCURACY) / (1 - ACCURACY)
_PER_E = 1 / math.log(GAMMA)
LEAST, MOST = 1e-9, 1e15
"""Values up to the first count as zero, and beyond the second as the second."""

_ZERO = -(2**31)
"""The bucket of zero, below all others."""


@dataclass(slots=True)
class Sketch:
    """Counts of values by bucket, with their exact sum; sketches of several processes merge by adding."""

    buckets: dict[int, int] = field(default_factory=dict)
    total: float = 0.0

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.buckets.values())

    def add(self, value: float) -> None:
        """Count one value."""
        value = min(value, MOST) if value > LEAST else 0.0
        bucket = math.ceil(math.log(value) * _PER_E) if value else _ZERO
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.total += value

    def merge(self, other: "Sketch") -> None:
        """Add what another one counted."""
        mine = self.buckets
        for bucket, count in other.buckets.items():
            mine[bucket] = mine.get(bucket, 0) + count
        self.total += other.total

    def values(self) -> Iterator[tuple[float, int]]:
        """Yield the value that stands for each bucket, and how often it was."""
        return ((value_of(bucket), count) for bucket, count in self.buckets.items())

    def ranked(self) -> "Ranked":
        """Return the values in their order."""
        buckets = sorted(self.buckets)
        return Ranked(buckets, [*accumulate(self.buckets[bucket] for bucket in buckets)])


@dataclass(frozen=True, slots=True)
class Ranked:
    """A sketch's buckets, the lowest first, and how many values there are up to the end of each."""

    buckets: Sequence[int]
    up_to: Sequence[int]

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.up_to[-1] if self.up_to else 0

    def at(self, rank: float) -> float:
        """Return the value that so many others are below, 0 for the lowest. Raises IndexError when there is none."""
        return value_of(self.buckets[bisect_right(self.up_to, rank)])

    def quantile(self, part: float) -> float:
        """Return the value that so large a part of the others is below. Raises IndexError without values."""
        return self.at(part * (self.count - 1))


@lru_cache(maxsize=4096)
def value_of(bucket: int) -> float:
    """Return the value that stands for all of a bucket."""
    return 0.0 if bucket == _ZERO else 2 * GAMMA**bucket / (GAMMA + 1)
