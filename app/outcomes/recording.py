"""Carried calls as outcomes of the kind `call`, for routes that ask for it; a call never waits for that."""

from typing import Any, NamedTuple

from app.clock import Clock
from app.decision_ids import Decided, DecisionIds, held
from app.metrics import Metrics
from app.outcomes.attribution import Basis, Instant, row
from app.outcomes.model import Attribution, OutcomeKind, RefusedError
from app.outcomes.pipeline import FullError, Pipeline
from app.stores.outcomes import OutcomeRow
from routers.attempts import Dispatched
from routers.model import Route
from routers.profiles.signals import NO_SIGNALS, Signals

ALL_HASHES = 2**64

CALL_BYTES = 16_384
"""How much metadata a call may have: the names of a hundred results, if they are not very long."""

_TEXTS = frozenset({"items", "scores", "fallback"})
"""Signals that may be too long to be kept, or hold what no database keeps, and those that mean nothing without them."""


class Ended(NamedTuple):
    """How a call ended: it `began` at a monotonic time; `is_whole` is false for an answer that was cut off.

    `cache` is what the cache had to do with it, None without one.
    """

    carried: Dispatched
    status: int
    began: float
    is_whole: bool
    signals: Signals = NO_SIGNALS
    cache: str | None = None


class Recorder:
    """Records calls at their end, all of a caller's or none."""

    def __init__(self, pipeline: Pipeline, ids: DecisionIds, metrics: Metrics, clock: Clock) -> None:
        self._pipeline = pipeline
        self._ids = ids
        self._metrics = metrics
        self._clock = clock

    def record(self, route: Route, decision_id: str, ended: Ended) -> None:
        """Record a call that has ended; when there is no room it is dropped and counted."""
        decided = held(decision_id)
        sample = route.record.sample if route.record else 0.0
        hashed = decided.unit or self._ids.unit_of(decided.number)
        if int(hashed, 16) >= sample * ALL_HASHES:
            return
        metadata = _metadata(ended)
        try:
            kept = self._row(decided, decision_id, ended.began, metadata)
        except RefusedError:
            told = metadata["signals"].items()
            numbers = {name: value for name, value in told if name not in _TEXTS}
            kept = self._row(decided, decision_id, ended.began, metadata | {"signals": numbers})
        try:
            self._pipeline.add([kept])
        except FullError:
            self._metrics.count_recorded_call(route.name, dropped=True)
        else:
            self._metrics.count_recorded_call(route.name, dropped=False)

    def _row(self, decided: Decided, decision_id: str, began: float, metadata: dict[str, Any]) -> OutcomeRow:
        now = Instant.of(self._clock.wall())
        return row(
            Basis(decided, decision_id, Attribution.DECISION),
            id=f"call-{decided.number}",
            kind=OutcomeKind.CALL,
            value=round((self._clock.monotonic() - began) * 1000, 3),
            happened=now,
            received=now,
            metadata=metadata,
            model=None,
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
    if ended.cache is not None:
        metadata["cache"] = ended.cache
    if ended.signals is not NO_SIGNALS:
        told = ended.signals._asdict().items()
        metadata["signals"] = {name: value for name, value in told if value is not None and value != ()}
    return metadata
