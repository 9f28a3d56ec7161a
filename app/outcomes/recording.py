"""Carried calls as outcomes of the kind `call`, where a route or a rollout asks for it; a call never waits for that."""

from contextlib import suppress
from typing import Any

from app.clock import Clock
from app.decision_ids import Decided, DecisionIds, held
from app.measures.ended import Ended
from app.metrics import Metrics
from app.outcomes.attribution import Basis, Instant, row
from app.outcomes.model import Attribution, OutcomeKind, RefusedError
from app.outcomes.pipeline import FullError, Pipeline
from app.refresh import Live
from app.stores.outcomes import OutcomeRow
from routers.model import Route
from routers.profiles.signals import NO_SIGNALS

ALL_HASHES = 2**64

CALL_BYTES = 16_384
"""How much metadata a call may have: the names of a hundred results, if they are not very long."""

BETWEEN_AGREEMENTS_S = 0.05
"""How long after an agreement the next one of its route is kept: evidence needs hundreds of them, not all."""

_TEXTS = frozenset({"items", "scores", "fallback"})
"""Signals that may be too long to be kept, or hold what no database keeps, and those that mean nothing without them."""


class Recorder:
    """Records calls at their end, all of a caller's or none; of an active rollout all of all callers."""

    def __init__(self, live: Live, pipeline: Pipeline, ids: DecisionIds, metrics: Metrics, clock: Clock) -> None:
        self._live = live
        self._pipeline = pipeline
        self._ids = ids
        self._metrics = metrics
        self._clock = clock
        self._next_agreement_at: dict[str, float] = {}

    def record(self, route: Route, decision_id: str, ended: Ended) -> None:
        """Record a call that has ended, if it is to be; when there is no room it is dropped and counted."""
        decided = held(decision_id)
        rollout, _ = self._live.state.step_of(decided.route, decided.flag_version)
        if not rollout and not self._is_sampled(route, decided):
            return
        basis, metadata = Basis(decided, decision_id, Attribution.DECISION), _metadata(ended)
        try:
            kept = self._row(basis, ended.ms, metadata, rollout)
        except RefusedError:
            told = metadata["signals"].items()
            numbers = {name: value for name, value in told if name not in _TEXTS}
            kept = self._row(basis, ended.ms, metadata | {"signals": numbers}, rollout)
        self._keep(route.name, kept)

    def agreed(self, decision_id: str, agreement: float) -> None:
        """Keep how far the candidate's answer agreed with the control's, 0 to 1, for a rollout of the route."""
        state = self._live.state
        if not state.steered:
            return
        decided = held(decision_id)
        rollout, _ = state.step_of(decided.route, decided.flag_version)
        now = self._clock.monotonic()
        if not rollout or now < self._next_agreement_at.get(decided.route, now):
            return
        self._next_agreement_at[decided.route] = now + BETWEEN_AGREEMENTS_S
        basis, at = Basis(decided, decision_id, Attribution.DECISION), Instant.of(self._clock.wall())
        kept = row(
            basis,
            id=f"agreement-{decided.number}",
            kind=OutcomeKind.AGREEMENT,
            value=agreement,
            happened=at,
            received=at,
            metadata={},
            model=None,
            rollout=rollout,
        )
        with suppress(FullError):
            self._pipeline.add([kept])

    def _is_sampled(self, route: Route, decided: Decided) -> bool:
        sample = route.record.sample if route.record else 0.0
        hashed = decided.unit or self._ids.unit_of(decided.number)
        return int(hashed, 16) < sample * ALL_HASHES

    def _keep(self, route: str, kept: OutcomeRow) -> None:
        try:
            self._pipeline.add([kept])
        except FullError:
            self._metrics.count_recorded_call(route, dropped=True)
        else:
            self._metrics.count_recorded_call(route, dropped=False)

    def _row(self, basis: Basis, ms: float, metadata: dict[str, Any], rollout: str) -> OutcomeRow:
        now = Instant.of(self._clock.wall())
        return row(
            basis,
            id=f"call-{basis.decision.number}",
            kind=OutcomeKind.CALL,
            value=round(ms, 3),
            happened=now,
            received=now,
            metadata=metadata,
            model=None,
            rollout=rollout,
            metadata_bytes=CALL_BYTES,
        )


def _metadata(ended: Ended) -> dict[str, Any]:
    """Say how a call ended, and what its answer showed; what is not known is left out of the latter."""
    attempts = ended.carried.attempts
    metadata: dict[str, Any] = {
        "status": ended.status,
        "is_whole": ended.is_whole,
        "fallback": attempts[0].cause if attempts else None,
    }
    if ended.has_left:
        metadata["has_left"] = True
    if ended.cache is not None:
        metadata["cache"] = ended.cache
    if ended.signals is not NO_SIGNALS:
        told = ended.signals._asdict().items()
        metadata["signals"] = {name: value for name, value in told if value is not None and value != ()}
    return metadata
