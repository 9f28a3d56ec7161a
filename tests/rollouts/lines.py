"""Lines of the outcome log, and rollouts that they belong to, in the few words that a test is about."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from rollouts.firsts import First
from rollouts.fold import fold
from rollouts.model import Rollout, RolloutState, Stage
from rollouts.plan import Plan
from rollouts.seen import Seen
from rollouts.statistics import Statistics

BEGAN = datetime(2027, 1, 4, tzinfo=UTC)
START_S = BEGAN.timestamp()
ERRORS = {"errors": {"metric": "error_rate", "relative_max": 1.2}}


def plan_of(gates: dict[str, Any] = ERRORS, **changes: Any) -> Plan:
    """Return a plan of two steps, 10 and 50 %, with the gates at both."""
    steps = [{"percentage": 10, "gates": [*gates]}, {"percentage": 50, "gates": [*gates]}]
    document = {"name": "rag-v2", "flag": "rag-v2", "route": "rag", "warm_up_s": 0, "holdback": 50, "bake_s": 3600}
    given = {"steps": steps, "gates": gates, "guardrails": [next(iter(gates))]}
    return Plan.model_validate(document | given | changes)


def running(plan: Plan, *stages: tuple[int, float], **changes: Any) -> Rollout:
    """Return a rollout with a stage for each step and the seconds after BEGAN at which it began; versions from 1."""
    given = stages or ((0, 0.0),)
    made = tuple(
        Stage(flag_version=at, step=step, weight=plan.weight_at(step), began_at=BEGAN + timedelta(seconds=after_s))
        for at, (step, after_s) in enumerate(given, 1)
    )
    document = {"id": "rag-v2-1", "plan": plan, "state": RolloutState.RUNNING, "step": given[-1][0], "stages": made}
    since = {"state_since": BEGAN, "created_at": BEGAN, "step_since": made[-1].began_at}
    return Rollout(**(document | since | changes))


def call(unit: str, after_s: float = 0.0, *, is_new: bool = True, version: int = 1, **seen: Any) -> Seen:
    """Return a call, decided and seen so many seconds after BEGAN, which took 100 ms."""
    at = START_S + after_s
    return Seen(unit, is_new, version, **({"decided_at": at, "seen_at": at, **_CALL} | seen))


def outcome(
    kind: str, unit: str, after_s: float, decided_s: float, *, is_new: bool = True, version: int = 1, value: float = 1.0
) -> Seen:
    """Return an outcome, seen and decided so many seconds after BEGAN."""
    return Seen(unit, is_new, version, START_S + decided_s, START_S + after_s, kind, value)


_CALL: dict[str, Any] = {"kind": "call", "value": 100.0, "is_exposure": True}


class Folded:
    """The statistics of a rollout, with the first events that a store would keep."""

    def __init__(self, rollout: Rollout) -> None:
        self.rollout = rollout
        self.statistics = Statistics(rollout.plan)
        self.known: set[First] = set()
        self._numbers = count(1)

    def take(self, lines: Iterable[Seen]) -> Sequence[First]:
        """Fold lines as the next ones of the log."""
        found = fold(self.statistics, self.rollout, [(next(self._numbers), line) for line in lines], self.known)
        assert len(found) == len({*found})
        assert self.known.isdisjoint(found)
        self.known.update(found)
        return found

    def closed(self, after_s: float = 1e6) -> Statistics:
        """Return the statistics with every tick closed that is over so many seconds after BEGAN."""
        self.statistics.close(START_S + after_s)
        return self.statistics
