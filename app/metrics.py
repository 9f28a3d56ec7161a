"""Every metric of the service; the only place that knows Prometheus."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from routers.breaker import State as BreakerState

disable_created_metrics()

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self) -> None:
        """Register every metric."""
        self.registry = registry = CollectorRegistry()
        self._counters: dict[tuple[Counter, tuple[str, ...]], Counter] = {}
        self._histograms: dict[tuple[Histogram, tuple[str, ...]], Histogram] = {}
        self.requests = Counter(
            "crossfade_http_requests", "Requests by endpoint and status.", ["endpoint", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "crossfade_http_request_seconds",
            "Time to the end of the answer.",
            ["endpoint"],
            buckets=SECONDS,
            registry=registry,
        )
        self.decisions = Counter(
            "crossfade_decisions", "Decisions by route.", ["route", "variant", "reason"], registry=registry
        )
        self.answers = Counter(
            "crossfade_route_answers",
            "Calls answered, by the backend decided and the one that answered; `none` when nobody did.",
            ["route", "decided", "backend"],
            registry=registry,
        )
        self.attempts = Counter(
            "crossfade_attempts",
            "Attempts by backend and what came of them: `answered` or the cause.",
            ["route", "backend", "result"],
            registry=registry,
        )
        self.attempt_seconds = Histogram(
            "crossfade_attempt_seconds",
            "Time of an attempt to its answer or its end.",
            ["route", "backend"],
            buckets=SECONDS,
            registry=registry,
        )
        self.in_flight = Gauge(
            "crossfade_backend_in_flight", "Calls a backend has at the moment.", ["route", "backend"], registry=registry
        )
        self.breaker_state = Gauge(
            "crossfade_breaker_state",
            "1 for the state a breaker is in, 0 for the others.",
            ["route", "backend", "state"],
            registry=registry,
        )
        self.breaker_transitions = Counter(
            "crossfade_breaker_transitions",
            "Changes of a breaker's state.",
            ["route", "backend", "to"],
            registry=registry,
        )
        self.kills = Gauge("crossfade_kills_active", "Kills in force.", registry=registry)
        self.revision = Gauge("crossfade_state_revision", "Revision of the state in force.", registry=registry)
        self.documents = Gauge(
            "crossfade_documents", "Documents in force, by collection.", ["collection"], registry=registry
        )
        self.writes = Counter(
            "crossfade_writes",
            "Writes acknowledged, by collection and action.",
            ["collection", "action"],
            registry=registry,
        )
        self.logins_failed = Counter(
            "crossfade_logins_failed", "Requests with a token that is not valid.", registry=registry
        )

    def count_request(self, endpoint: str, status: int, seconds: float) -> None:
        """Count one answered request of the service itself."""
        self._count(self.requests, (endpoint, str(status)))
        self._time(self.request_seconds, (endpoint,), seconds)

    def count_decision(self, route: str, variant: str, reason: str) -> None:
        """Count one decision."""
        self._count(self.decisions, (route, variant, reason))

    def count_answer(self, route: str, decided: str, backend: str) -> None:
        """Count one carried call."""
        self._count(self.answers, (route, decided, backend))

    def count_attempt(self, route: str, backend: str, result: str, milliseconds: float) -> None:
        """Count one attempt to get an answer from a backend."""
        self._count(self.attempts, (route, backend, result))
        self._time(self.attempt_seconds, (route, backend), milliseconds / 1000)

    def _count(self, counter: Counter, labels: tuple[str, ...]) -> None:
        child = self._counters.get((counter, labels))
        if child is None:
            child = self._counters[counter, labels] = counter.labels(*labels)
        child.inc()

    def _time(self, histogram: Histogram, labels: tuple[str, ...], seconds: float) -> None:
        child = self._histograms.get((histogram, labels))
        if child is None:
            child = self._histograms[histogram, labels] = histogram.labels(*labels)
        child.observe(seconds)

    def breaker_is(self, route: str, backend: str, state: BreakerState) -> None:
        """Show the state a breaker is in."""
        for each in BreakerState:
            self.breaker_state.labels(route, backend, each).set(each is state)

    def watch_in_flight(self, route: str, backend: str, count: Callable[[], int]) -> None:
        """Read the calls on a lane whenever the metrics are read."""
        self.in_flight.labels(route, backend).set_function(count)

    def forget_lane(self, route: str, backend: str) -> None:
        """Stop showing a lane that is gone."""
        self.in_flight.remove(route, backend)
        for each in BreakerState:
            self.breaker_state.remove(route, backend, each)

    def render(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
