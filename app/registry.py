"""Where metrics are registered, read and written out; with `tallies`, the only place that knows Prometheus."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from app.tallies import Amount, Level, Merge, Reading, Tally, Timing, merged

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Snapshot(NamedTuple):
    """What the metrics of one process stand at, by name: counters and histograms, and gauges."""

    counts: Mapping[str, Reading]
    levels: Mapping[str, Reading]


class Registry:
    """The metrics of one process, whatever they count."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        """Begin without any."""
        self.registry = CollectorRegistry()
        self._counts: list[Tally | Timing | Amount] = []
        self._levels: list[Level] = []

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def snapshot(self) -> Snapshot:
        """Return what everything stands at."""
        counts, levels = ({each.name: each.read() for each in some} for some in (self._counts, self._levels))
        return Snapshot(counts, levels)

    def go_on_from(self, before: Snapshot) -> None:
        """Count on from where a process stood that is gone, before anything was counted here."""
        for each in self._counts:
            each.go_on_from(before.counts.get(each.name, ()))

    def render_together(self, snapshots: Sequence[Snapshot]) -> bytes:
        """Return what several processes stand at together in Prometheus' text format."""
        return generate_latest(_Together([*self._together(snapshots)]))

    def _together(self, snapshots: Sequence[Snapshot]) -> Iterator[Metric]:
        for count in self._counts:
            yield count.family(merged([each.counts.get(count.name, ()) for each in snapshots], sum))
        for level in self._levels:
            yield level.family(merged([each.levels.get(level.name, ()) for each in snapshots], level.merge))

    def tally(self, name: str, help_text: str, *labels: str) -> Tally:
        """Make a counter."""
        tally = Tally(f"crossfade_{name}", help_text, labels)
        self.registry.register(tally)
        self._counts.append(tally)
        return tally

    def amount(self, name: str, help_text: str, *labels: str) -> Amount:
        """Make a summary of numbers: how many, and their sum."""
        amount = Amount(f"crossfade_{name}", help_text, labels)
        self.registry.register(amount)
        self._counts.append(amount)
        return amount

    def timing(self, name: str, help_text: str, *labels: str, bounds: tuple[float, ...] = SECONDS) -> Timing:
        """Make a histogram; `bounds` are its buckets' upper ends."""
        timing = Timing(f"crossfade_{name}", help_text, labels, bounds)
        self.registry.register(timing)
        self._counts.append(timing)
        return timing

    def gauge(self, name: str, help_text: str, merge: Merge, *labels: str) -> Gauge:
        """Make a gauge; `merge` is what the processes of one parent show together: `sum`, `min` or `max`."""
        gauge = Gauge(f"crossfade_{name}", help_text, labels, registry=self.registry)
        self._levels.append(Level(gauge, f"crossfade_{name}", help_text, labels, merge))
        return gauge


class _Together(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families
