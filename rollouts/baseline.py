"""The control's latencies before a quantile is judged: they fix the threshold that both sides' calls may exceed."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

ACCURACY = 0.01
_LOG_WIDTH = math.log((1 + ACCURACY) / (1 - ACCURACY))
_LEAST_MS = 1e-3
_CAUTION = 1.0
"""Standard errors by which a limit that was estimated is moved against whoever would profit from its error."""


class Frozen(NamedTuple):
    """The threshold, and which ratios of exceedances stand for the limit and for the margin on the ratio of times."""

    threshold_ms: float
    limit: float
    margin: float


@dataclass(slots=True)
class Baseline:
    """A histogram of latencies by the log of their time; the buckets are 2 % wide, so a value is off by 1 %."""

    buckets: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def add(self, latency_ms: float) -> None:
        """Count a latency of the control."""
        at = math.ceil(math.log(max(latency_ms, _LEAST_MS)) / _LOG_WIDTH)
        self.buckets[at] = self.buckets.get(at, 0) + 1
        self.count += 1

    def frozen(self, quantile: float, limit: float, margin: float) -> Frozen:
        """Return the threshold, and what limits on a ratio of times are as ratios of exceedances.

        A side whose times are `m` times the control's exceeds c as often as the control exceeds c / m: S(c / m) / S(c)
        times as often as the control, S being its survival function. Where that is estimated, it is taken more
        leniently for the limit and more strictly for the margin, by _CAUTION standard errors of its log.
        """
        threshold = self._quantile(quantile)
        return Frozen(threshold, self._exceedances(threshold, limit, 1), self._exceedances(threshold, margin, -1))

    def _quantile(self, quantile: float) -> float:
        """Return the upper edge of the bucket that the quantile lies in."""
        seen = 0
        for at in sorted(self.buckets):
            seen += self.buckets[at]
            if seen >= quantile * self.count:
                return math.exp(at * _LOG_WIDTH)
        raise ValueError("there is no quantile of nothing")

    def _exceedances(self, threshold: float, times: float, lenient: int) -> float:
        """Return the ratio of exceedances for one of times, raised (lenient 1) or lowered (-1) by what it may be off.

        The rarer of the two counts is a binomial part of the other; times of 1 are a ratio of 1, known without error.
        """
        here, there = self._above(threshold), self._above(threshold / times)
        fewer, more = sorted((here, there))
        ratio = there / here * math.exp(lenient * _CAUTION * math.sqrt((1 - fewer / more) / fewer))
        return max(ratio, 1.0) if times >= 1 else min(ratio, 1.0)

    def _above(self, latency_ms: float) -> float:
        """Return how many exceeded a latency, spread evenly within its bucket; one at least, for want of knowledge."""
        place = math.log(latency_ms) / _LOG_WIDTH
        within = math.ceil(round(place, 9))
        above = sum(count for at, count in self.buckets.items() if at > within)
        return max(above + self.buckets.get(within, 0) * max(within - place, 0.0), 1.0)
