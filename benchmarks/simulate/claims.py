"""What is claimed, what was found, and how much of it may be chance."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CONFIDENCE = 0.99


class Kind(StrEnum):
    """How a claim is read: a chance or a median that is bounded from above, or a share from below."""

    AT_MOST = "at most"
    AT_LEAST = "at least"
    MEDIAN = "median at most"


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure from seeded runs and its bound, None for a figure that is shown and not claimed.

    A share misses its bound only when the whole 99 % interval (Clopper and Pearson) of what the runs found lies beyond
    it: with 500 runs and a bound of 5 %, from 39 of them on. A median is compared as it is.
    """

    what: str
    kind: Kind
    found: float
    bound: float | None
    runs: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 99 % interval of a share."""
        hits = round(self.found * self.runs)
        tail = (1 - CONFIDENCE) / 2
        low = _where(lambda p: 1 - _at_most(hits - 1, self.runs, p) >= tail) if hits else 0.0
        high = _where(lambda p: _at_most(hits, self.runs, p) <= tail) if hits < self.runs else 1.0
        return low, high

    @property
    def ok(self) -> bool:
        """Whether the runs do not refute the claim."""
        if self.bound is None:
            return True
        if self.kind is Kind.MEDIAN:
            return self.found <= self.bound
        low, high = self.interval
        return low <= self.bound if self.kind is Kind.AT_MOST else high >= self.bound

    @property
    def words(self) -> tuple[str, str, str]:
        """What was found, its interval, and the bound, for people."""
        bound = "" if self.bound is None else f"{self.kind} "
        if self.kind is Kind.MEDIAN:
            return f"{self.found:,.0f}", "", bound and f"{bound}{self.bound:,.0f}"
        low, high = self.interval
        return f"{self.found:.2%}", f"{low:.1%} to {high:.1%}", bound and f"{bound}{self.bound:.1%}"

    def as_json(self) -> dict[str, Any]:
        """Return the claim for machines."""
        claim = {"claim": self.what, "ok": self.ok, "found": self.found, "runs": self.runs}
        if self.kind is not Kind.MEDIAN:
            claim["interval"] = [round(end, 5) for end in self.interval]
        return claim if self.bound is None else {**claim, str(self.kind).replace(" ", "_"): self.bound}


def _at_most(hits: int, runs: int, chance: float) -> float:
    """Return the chance of so many hits at most."""
    if not 0 < chance < 1:
        return float(chance <= 0)
    logs = (
        math.lgamma(runs + 1)
        - math.lgamma(each + 1)
        - math.lgamma(runs - each + 1)
        + each * math.log(chance)
        + (runs - each) * math.log1p(-chance)
        for each in range(hits + 1)
    )
    return min(math.fsum(math.exp(log) for log in logs), 1.0)


def _where(turns_true: Any) -> float:
    """Return the chance at which a condition becomes true."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if turns_true(middle) else (middle, high)
    return high
