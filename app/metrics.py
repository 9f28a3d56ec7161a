"""Every metric of the service, and how it is counted: instrumentation is a value, whoever counts knows a name."""

from collections.abc import Callable

from app.rollout_metrics import RolloutMetrics
from routers.breaker import State as BreakerState
from routers.profiles.signals import Signals

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.999999, 1.0)
LANE = ("route", "backend")
PAIR = ("route", "control", "candidate")


class Metrics(RolloutMetrics):
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        """Register every metric."""
        super().__init__()
        self._register_service()
        self._register_calls()
        self._register_signals()
        self._register_shadows()
        self.register_rollout_counts()
        self._register_levels()
        self.register_rollout_levels()

    def _register_service(self) -> None:
        self._requests = self.tally("http_requests", "Requests by endpoint and status.", "endpoint", "status")
        self._request_seconds = self.timing("http_request_seconds", "Time to the end of the answer.", "endpoint")
        self._writes = self.tally("writes", "Acknowledged writes.", "collection", "action")
        self._logins_failed = self.tally("logins_failed", "Requests refused for want of a valid token.")
        self._logins_limited = self.tally("logins_limited", "Of those, refused because their source failed too often.")
        self._alerts = self.tally("alerts", "Alerts that came in, and what became of them.", "severity", "did")
        self._notices = self.tally("notices", "Notices to the webhook.", "kind", "result")
        self._outcomes = self.tally("outcomes", "Reported outcomes, by `accepted` or why they were refused.", "result")
        self._outcomes_kept = self.tally("outcomes_kept", "Outcomes written, `new` or `duplicate`.", "result")
        self._outcome_seconds = self.timing("outcome_write_seconds", "Time to write a batch of outcomes.")
        self._streams_full = self.tally("ofrep_streams_full", "Listeners who found no change stream free.")
        self._measures_lost = self.tally("measures_lost", "Calls and outcomes that are in no measure, SQL being away.")
        self._calls_recorded = self.tally("calls_recorded", "Calls of routes that record them.", "route", "result")

    def _register_calls(self) -> None:
        self._decisions = self.tally("decisions", "Decisions by route.", "route", "variant", "reason")
        self._answers = self.tally(
            "route_answers",
            "Carried calls by the backend decided and the one that answered, `none` when nobody did.",
            "route",
            "decided",
            "backend",
        )
        self._attempts = self.tally("attempts", "Attempts, by `answered` or why they failed.", *LANE, "result")
        self._attempt_seconds = self.timing("attempt_seconds", "Time of an attempt to its answer or failure.", *LANE)
        self._transitions = self.tally("breaker_transitions", "Changes of a breaker's state.", *LANE, "to")
        self._cached = self.tally(
            "cache_answers",
            "Calls of routes with a cache, by the backend whose answer was given: hit, miss, stale or bypass.",
            *LANE,
            "result",
        )
        self._breaker_syncs_failed = self.tally("breaker_syncs_failed", "Failed exchanges of breakers with Redis.")

    def _register_signals(self) -> None:
        self._results = self.amount("answer_results", "Results of an answer.", *LANE)
        self._scores = self.amount("quality_score", "Mean score of an answer's results.", *LANE)
        self._cache_hits = self.amount("backend_cache_hits", "Share of an answer that came from a cache.", *LANE)
        self._tokens = self.amount("tokens", "Tokens an answer took.", *LANE)
        self._costs = self.amount("cost", "What an answer cost, in the backend's currency.", *LANE)
        self._processing = self.amount("backend_processing_seconds", "Time a backend says it took.", *LANE)
        self._own_fallbacks = self.tally("backend_fallbacks", "Answers whose backend says it fell back.", *LANE)

    def _register_shadows(self) -> None:
        self._shadow_calls = self.tally(
            "shadow_calls", "Shadow calls by `answered` or why they failed.", *LANE, "result"
        )
        self._shadow_seconds = self.timing("shadow_seconds", "Time of a shadow call to its answer or failure.", *LANE)
        self._shadow_bytes = self.tally("shadow_bytes", "Bytes of shadow calls' bodies, both ways.", *LANE)
        self._shadow_dropped = self.tally("shadow_dropped", "Sampled calls that were not asked.", "route", "why")
        self._comparisons = self.tally("comparisons", "Shadowed calls by how they ended.", *PAIR, "result")
        self._agreement = self.timing(
            "comparison_agreement", "Agreement, 0 to 1: of the candidate, or the noise.", *PAIR, "of", bounds=SHARES
        )

    def _register_levels(self) -> None:
        self._outcomes_buffered = self.gauge("outcomes_buffered", "Accepted outcomes that wait to be written.", sum)
        self._streams = self.gauge("ofrep_streams", "Streams of change notices that are open.", sum)
        self._in_flight = self.gauge("backend_in_flight", "Calls a backend has at the moment.", sum, *LANE)
        self._breaker_state = self.gauge(
            "breaker_state", "1 for the state a breaker is in, else 0.", sum, *LANE, "state"
        )
        self._breakers_shared = self.gauge(
            "breakers_shared", "1 while breakers act as one in the fleet, 0 in this process alone.", min
        )
        self.gauge("processes", "Processes that these metrics are of.", sum).set(1)
        self._documents = self.gauge("documents", "Documents in force.", min, "collection")
        self._revision = self.gauge("state_revision", "Revision of the state in force.", min)
        self._state = self.gauge("state_info", "1 for the epoch of the state in force.", max, "epoch")
        self._age = self.gauge("state_age_seconds", "For how long the state in force may be old; 0 in contact.", max)
        self._contact = self.gauge("store_last_contact_seconds", "When the store last answered, since 1970.", min)

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

    def count_cached(self, route: str, backend: str, result: str) -> None:
        """Count what the cache had to do with one carried call."""
        self._cached.add((route, backend, result))

    def count_signals(self, route: str, backend: str, signals: Signals) -> None:
        """Count what one answer told of its quality."""
        lane = (route, backend)
        self._results.add(lane, signals.results)
        self._scores.add(lane, signals.score)
        self._cache_hits.add(lane, signals.cache_hit)
        self._tokens.add(lane, signals.tokens)
        self._costs.add(lane, signals.cost)
        self._processing.add(lane, signals.processing_ms, 1000)
        if signals.fallback is not None:
            self._own_fallbacks.add(lane)

    def count_shadow(self, route: str, backend: str, result: str, seconds: float) -> None:
        """Count one shadow call."""
        self._shadow_calls.add((route, backend, result))
        self._shadow_seconds.add((route, backend), seconds)

    def count_shadow_bytes(self, route: str, backend: str, size: int) -> None:
        """Count what a shadow call sent and brought."""
        self._shadow_bytes.add((route, backend), size)

    def count_shadow_dropped(self, route: str, why: str) -> None:
        """Count one sampled call that was not asked of the other side."""
        self._shadow_dropped.add((route, why))

    def count_comparison(self, route: str, control: str, candidate: str, result: str) -> None:
        """Count one shadowed call by how it ended."""
        self._comparisons.add((route, control, candidate, result))

    def count_agreement(self, route: str, control: str, candidate: str, of: str, agreement: float) -> None:
        """Count how far two answers agreed."""
        self._agreement.add((route, control, candidate, of), agreement)

    def count_write(self, collection: str, action: str) -> None:
        """Count one acknowledged write."""
        self._writes.add((collection, action))

    def count_failed_login(self, *, limited: bool) -> None:
        """Count one request without a valid token where one was needed; `limited`: its source failed too often."""
        self._logins_failed.add(())
        if limited:
            self._logins_limited.add(())

    def count_alert(self, severity: str, did: str) -> None:
        """Count one alert that came in."""
        self._alerts.add((severity, did))

    def count_notice(self, kind: str, result: str) -> None:
        """Count one notice that was delivered, failed or was dropped."""
        self._notices.add((kind, result))

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

    def count_lost_measure(self) -> None:
        """Count one call, outcome or opened breaker that is in no measure: SQL is away for too long."""
        self._measures_lost.add(())

    def show_outcomes_buffered(self, count: Callable[[], int]) -> None:
        """Read how many outcomes wait whenever the metrics are read."""
        self._outcomes_buffered.set_function(count)

    def show_streams(self, count: Callable[[], int]) -> None:
        """Read how many change streams are open whenever the metrics are read."""
        self._streams.set_function(count)

    def count_full_streams(self) -> None:
        """Count one listener who found no change stream free."""
        self._streams_full.add(())

    def breaker_moved(self, route: str, backend: str, to: BreakerState) -> None:
        """Count one change of a breaker's state, and show the new one."""
        self._transitions.add((route, backend, to))
        self.show_breaker(route, backend, to)

    def show_breakers_shared(self, *, shared: bool) -> None:
        """Show whether breakers act as one in the fleet."""
        self._breakers_shared.set(shared)

    def count_failed_breaker_sync(self) -> None:
        """Count one exchange of breakers with the fleet that failed."""
        self._breaker_syncs_failed.add(())

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
