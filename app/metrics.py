"""Every metric of the service; with `tallies`, the only place that knows Prometheus."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from app.tallies import Level, Merge, Reading, Tally, Timing, merged
from routers.breaker import State as BreakerState

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LANE = ("route", "backend")


class Snapshot(NamedTuple):
    """What the metrics of one process stand at, by name: counters and histograms, and gauges."""

    counts: Mapping[str, Reading]
    levels: Mapping[str, Reading]


class Metrics:
    """The metrics of one process, in a registry of their own."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        """Register every metric."""
        self.registry = CollectorRegistry()
        self._counts: list[Tally | Timing] = []
        self._levels: list[Level] = []
        self._requests = self._tally("http_requests", "Requests by endpoint and status.", "endpoint", "status")
        self._request_seconds = self._timing("http_request_seconds", "Time to the end of the answer.", "endpoint")
        self._decisions = self._tally("decisions", "Decisions by route.", "route", "variant", "reason")
        self._answers = self._tally(
            "route_answers",
            "Carried calls by the backend decided and the one that answered, `none` when nobody did.",
            "route",
            "decided",
            "backend",
        )
        self._attempts = self._tally("attempts", "Attempts, by `answered` or why they failed.", *LANE, "result")
        self._attempt_seconds = self._timing("attempt_seconds", "Time of an attempt to its answer or failure.", *LANE)
        self._transitions = self._tally("breaker_transitions", "Changes of a breaker's state.", *LANE, "to")
        self._writes = self._tally("writes", "Acknowledged writes.", "collection", "action")
        self._logins_failed = self._tally("logins_failed", "Requests refused for want of a valid token.")
        self._logins_limited = self._tally("logins_limited", "Of those, refused because their source failed too often.")
        self._outcomes = self._tally("outcomes", "Reported outcomes, by `accepted` or why they were refused.", "result")
        self._outcomes_kept = self._tally("outcomes_kept", "Outcomes written, `new` or `duplicate`.", "result")
        self._outcome_seconds = self._timing("outcome_write_seconds", "Time to write a batch of outcomes.")
        self._calls_recorded = self._tally("calls_recorded", "Calls of routes that record them.", "route", "result")
        self._outcomes_buffered = self._gauge("outcomes_buffered", "Accepted outcomes that wait to be written.", sum)
        self._in_flight = self._gauge("backend_in_flight", "Calls a backend has at the moment.", sum, *LANE)
        self._breaker_state = self._gauge(
            "breaker_state", "1 for the state a breaker is in, else 0.", sum, *LANE, "state"
        )
        self._gauge("processes", "Processes that these metrics are of.", sum).set(1)
        self._documents = self._gauge("documents", "Documents in force.", min, "collection")
        self._revision = self._gauge("state_revision", "Revision of the state in force.", min)
        self._state = self._gauge("state_info", "1 for the epoch of the state in force.", max, "epoch")
        self._age = self._gauge("state_age_seconds", "For how long the state in force may be old; 0 in contact.", max)
        self._contact = self._gauge("store_last_contact_seconds", "When the store last answered, since 1970.", min)

    def count_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one answered request of the service itself."""
        self._requests.add((endpoint, str(status)))
        self._request_seconds.add((endpoint,), seconds)

    def count_decision(self, route: str, variant: str, reason: str) -> None:
        """Count one decision."""
        self._decisions.add((route, variant, reason))

    def count_answer(self, route: str, decided: str, backend: str) -> None:
        """Count one carried call."""
        self._answers.add((route, decided, backend))

    def count_attempt(self, route: str, backend: str, result: str, seconds: float) -> None:
        """Count one attempt to get an answer from a backend."""
        self._attempts.add((route, backend, result))
        self._attempt_seconds.add((route, backend), seconds)

    def count_write(self, collection: str, action: str) -> None:
        """Count one acknowledged write."""
        self._writes.add((collection, action))

    def count_failed_login(self, *, limited: bool) -> None:
        """Count one request without a valid token where one was needed; `limited`: its source failed too often."""
        self._logins_failed.add(())
        if limited:
            self._logins_limited.add(())

    def count_outcomes(self, result: str, count: int) -> None:
        """Count reported outcomes that were accepted, or refused for one reason."""
        self._outcomes.add((result,), count)

    def count_outcomes_kept(self, new: int, duplicates: int, seconds: float) -> None:
        """Count one batch that was written."""
        self._outcomes_kept.add(("new",), new)
        self._outcomes_kept.add(("duplicate",), duplicates)
        self._outcome_seconds.add((), seconds)

    def count_recorded_call(self, route: str, *, dropped: bool) -> None:
        """Count one call that was recorded, or dropped because the buffer was full."""
        self._calls_recorded.add((route, "dropped" if dropped else "recorded"))

    def show_outcomes_buffered(self, count: Callable[[], int]) -> None:
        """Read how many outcomes wait whenever the metrics are read."""
        self._outcomes_buffered.set_function(count)

    def breaker_moved(self, route: str, backend: str, to: BreakerState) -> None:
        """Count one change of a breaker's state, and show the new one."""
        self._transitions.add((route, backend, to))
        self.show_breaker(route, backend, to)

    def show_breaker(self, route: str, backend: str, state: BreakerState) -> None:
        """Show the state a breaker is in."""
        for each in BreakerState:
            self._breaker_state.labels(route, backend, each).set(each is state)

    def show_in_flight(self, route: str, backend: str, count: Callable[[], int]) -> None:
        """Read the calls on a lane whenever the metrics are read."""
        self._in_flight.labels(route, backend).set_function(count)

    def forget_lane(self, route: str, backend: str) -> None:
        """Stop showing a lane that is gone."""
        self._in_flight.remove(route, backend)
        for each in BreakerState:
            self._breaker_state.remove(route, backend, each)

    def show_standing(self, age_s: Callable[[], float], last_contact: Callable[[], float]) -> None:
        """Read the state's age and when the store last answered whenever the metrics are read."""
        self._age.set_function(age_s)
        self._contact.set_function(last_contact)

    def show_state(self, epoch: str, revision: int, documents: dict[str, int]) -> None:
        """Show epoch and revision in force, and how many documents of each collection there are."""
        self._revision.set(revision)
        self._state.clear()
        self._state.labels(epoch).set(1)
        for collection, count in documents.items():
            self._documents.labels(collection).set(count)

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

    def _tally(self, name: str, help_text: str, *labels: str) -> Tally:
        tally = Tally(f"crossfade_{name}", help_text, labels)
        self.registry.register(tally)
        self._counts.append(tally)
        return tally

    def _timing(self, name: str, help_text: str, *labels: str) -> Timing:
        timing = Timing(f"crossfade_{name}", help_text, labels, SECONDS)
        self.registry.register(timing)
        self._counts.append(timing)
        return timing

    def _gauge(self, name: str, help_text: str, merge: Merge, *labels: str) -> Gauge:
        """Make a gauge; `merge` is what the processes of one parent show together: `sum`, `min` or `max`."""
        gauge = Gauge(f"crossfade_{name}", help_text, labels, registry=self.registry)
        self._levels.append(Level(gauge, f"crossfade_{name}", help_text, labels, merge))
        return gauge


class _Together(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families
