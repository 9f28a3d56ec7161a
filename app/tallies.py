"""Counts and times of the hot path: a dictionary entry each, turned into Prometheus' form when they are read."""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

Labels = tuple[str, ...]


class Tally(Collector):
    """A counter for every combination of labels."""

    def __init__(self, name: str, help_text: str, labels: Labels) -> None:
        self._described = (name, help_text, labels)
        self._counts: dict[Labels, int] = {}

    def add(self, labels: Labels) -> None:
        """Count one."""
        counts = self._counts
        counts[labels] = counts.get(labels, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """Return the counts in Prometheus' form."""
        name, help_text, labels = self._described
        family = CounterMetricFamily(name, help_text, labels=labels)
        for values, count in list(self._counts.items()):
            family.add_metric(values, count)
        yield family


class Timing(Collector):
    """A histogram of seconds for every combination of labels; `bounds` are the buckets' upper ends."""

    def __init__(self, name: str, help_text: str, labels: Labels, bounds: tuple[float, ...]) -> None:
        self._described = (name, help_text, labels)
        self._bounds = bounds
        self._buckets: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def add(self, labels: Labels, seconds: float) -> None:
        """Count one duration."""
        buckets = self._buckets.get(labels)
        if buckets is None:
            buckets = self._buckets[labels] = [0] * (len(self._bounds) + 1)
            self._sums[labels] = 0.0
        buckets[bisect_left(self._bounds, seconds)] += 1
        self._sums[labels] += seconds

    def collect(self) -> Iterator[Metric]:
        """Return the histograms in Prometheus' form."""
        name, help_text, labels = self._described
        family = HistogramMetricFamily(name, help_text, labels=labels)
        for values, buckets in list(self._buckets.items()):
            family.add_metric(values, self._cumulated(buckets), self._sums[values])
        yield family

    def _cumulated(self, buckets: list[int]) -> list[tuple[str, float]]:
        ends = [*(str(bound) for bound in self._bounds), "+Inf"]
        return [(end, float(sum(buckets[: at + 1]))) for at, end in enumerate(ends)]
