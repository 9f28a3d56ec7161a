"""Carried calls as outcomes of the kind `call`, for routes that ask for it; a call never waits for that."""

from typing import Any

from app.clock import Clock
from app.decision_ids import DecisionIds, held
from app.metrics import Metrics
from app.outcomes.attribution import Basis, row
from app.outcomes.model import Attribution, OutcomeKind
from app.outcomes.pipeline import FullError, Pipeline
from routers.attempts import Dispatched
from routers.model import Route

ALL_HASHES = 2**64


class Recorder:
    """Records calls at their end, all of a caller's or none."""

    def __init__(self, pipeline: Pipeline, ids: DecisionIds, metrics: Metrics, clock: Clock) -> None:
        self._pipeline = pipeline
        self._ids = ids
        self._metrics = metrics
        self._clock = clock

    def record(
        self, route: Route, decision_id: str, carried: Dispatched, status: int, began: float, *, is_whole: bool
    ) -> None:
        """Record a call that has ended; `began` is monotonic, `is_whole` false for an answer that was cut off.

        When there is no room it is dropped and counted.
        """
        decided = held(decision_id)
        sample = route.record.sample if route.record else 0.0
        hashed = decided.unit or self._ids.unit_of(decided.number)
        if int(hashed, 16) >= sample * ALL_HASHES:
            return
        first = carried.attempts[0].cause if carried.attempts else None
        metadata: dict[str, Any] = {"status": status, "is_whole": is_whole, "fallback": first}
        now = self._clock.wall()
        kept = row(
            Basis(decided, decision_id, Attribution.DECISION),
            id=f"call-{decided.number}",
            kind=OutcomeKind.CALL,
            value=round((self._clock.monotonic() - began) * 1000, 3),
            at=now,
            now=now,
            metadata=metadata,
            model=None,
        )
        try:
            self._pipeline.add([kept])
        except FullError:
            self._metrics.count_recorded_call(route.name, dropped=True)
        else:
            self._metrics.count_recorded_call(route.name, dropped=False)
