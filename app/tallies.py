"""Counts and times of the hot path: a dictionary entry each, turned into Prometheus' form when they are read.

What one process has counted can also be read as plain numbers, which other processes add to theirs.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

Labels = tuple[str, ...]

Reading = Sequence[tuple[Sequence[str], Sequence[float]]]
"""What a metric of one process stands at: for each combination of labels its numbers, as JSON can hold them."""

Merge = Callable[[Iterable[float]], float]
"""What processes show together: `sum`, `min` or `max`."""


def merged(readings: Iterable[Reading], merge: Merge) -> Reading:
    """Return what readings of several processes are together, number by number."""
    together: dict[Labels, list[Sequence[float]]] = {}
    for reading in readings:
        for labels, numbers in reading:
            together.setdefault(tuple(labels), []).append(numbers)
    return [(labels, [merge(column) for column in zip(*rows, strict=True)]) for labels, rows in together.items()]


class Tally(Collector):
    """A counter for every combination of labels."""

    def __init__(self, name: str, help_text: str, labels: Labels) -> None:
        self.name = name
        self._described = (name, help_text, labels)
        self._counts: dict[Labels, int] = {}

    def add(self, labels: Labels, count: int = 1) -> None:
        """Count one, or some at once."""
        counts = self._counts
        counts[labels] = counts.get(labels, 0) + count

    def read(self) -> Reading:
        """Return the counts."""
        return [(labels, [count]) for labels, count in self._counts.items()]

    def go_on_from(self, reading: Reading) -> None:
        """Count on from where another process stood, before anything was counted here."""
        self._counts = {tuple(labels): int(count) for labels, (count,) in reading}

    def collect(self) -> Iterator[Metric]:
        """Return the counts in Prometheus' form."""
        yield self.family(self.read())

    def family(self, reading: Reading) -> Metric:
        """Return a reading in Prometheus' form."""
        name, help_text, labels = self._described
        family = CounterMetricFamily(name, help_text, labels=labels)
        for values, (count,) in reading:
            family.add_metric(values, count)
        return family


class Timing(Collector):
    """A histogram of seconds for every combination of labels; `bounds` are the buckets' upper ends."""

    def __init__(self, name: str, help_text: str, labels: Labels, bounds: tuple[float, ...]) -> None:
        self.name = name
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

    def read(self) -> Reading:
        """Return the counts of the buckets, one by one, and behind them the sum of the seconds."""
        return [(labels, [*buckets, self._sums[labels]]) for labels, buckets in self._buckets.items()]

    def go_on_from(self, reading: Reading) -> None:
        """Count on from where another process stood, before anything was counted here."""
        self._buckets = {tuple(labels): [int(count) for count in numbers[:-1]] for labels, numbers in reading}
        self._sums = {tuple(labels): numbers[-1] for labels, numbers in reading}

    def collect(self) -> Iterator[Metric]:
        """Return the histograms in Prometheus' form."""
        yield self.family(self.read())

    def family(self, reading: Reading) -> Metric:
        """Return a reading in Prometheus' form."""
        name, help_text, labels = self._described
        family = HistogramMetricFamily(name, help_text, labels=labels)
        for values, numbers in reading:
            family.add_metric(values, self._cumulated(numbers[:-1]), numbers[-1])
        return family

    def _cumulated(self, buckets: Sequence[float]) -> list[tuple[str, float]]:
        ends = [*(str(bound) for bound in self._bounds), "+Inf"]
        return [(end, float(sum(buckets[: at + 1]))) for at, end in enumerate(ends)]


class Level:
    """A gauge together with what the same gauges of several processes show as one."""

    def __init__(self, gauge: Gauge, name: str, help_text: str, labels: Labels, merge: Merge) -> None:
        self.name = name
        self.merge = merge
        self._gauge = gauge
        self._described = (name, help_text, labels)

    def read(self) -> Reading:
        """Return the values."""
        [family] = self._gauge.collect()
        return [([*each.labels.values()], [each.value]) for each in family.samples]

    def family(self, reading: Reading) -> Metric:
        """Return a reading in Prometheus' form."""
        name, help_text, labels = self._described
        family = GaugeMetricFamily(name, help_text, labels=labels)
        for values, (value,) in reading:
            family.add_metric(values, value)
        return family
