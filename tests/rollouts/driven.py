"""A rollout with its flag, driven as the controller drives them: judged, moved and written together."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flags.model import Flag
from flags.percentage import rolled_out, weight_of_variant
from flags.raising import raises
from rollouts import commands
from rollouts.advance import advance
from rollouts.commands import Answer, Order
from rollouts.evidence import Evidence, Facts, Judgement, Verdict
from rollouts.model import Rollout, RolloutState
from rollouts.moves import Move, moved
from rollouts.plan import Plan
from rollouts.refusals import Refused
from rollouts.starting import Ground, flag_after, weight_in_force

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
ANA = Order("ana", "because")
BACKENDS = ("legacy", "new")
PASS, FAIL, INCONCLUSIVE, NO_DATA, ERROR = Verdict

PLAN: dict[str, Any] = {
    "name": "search",
    "flag": "search-v2",
    "route": "search",
    "warm_up_s": 60,
    "holdback": 10,
    "bake_s": 3600,
    "gates": {
        "errors": {"metric": "error_rate", "relative_max": 1.2},
        "p95": {"metric": "latency_ms", "quantile": 0.95, "relative_max": 1.1},
        "costs": {"metric": "cost", "relative_max": 1.5},
        "tried": {"metric": "fallback_rate", "relative_max": 1.2, "dry_run": True},
    },
    "guardrails": ["errors", "costs"],
    "cohorts": [{"name": "power", "when": {"attribute": "engagement", "op": "gt", "value": 0.8}}],
    "steps": [
        {"percentage": 10, "min_s": 600, "max_s": 7200, "min_units": 100, "gates": ["errors", "p95", "tried"]},
        {"percentage": 50, "min_s": 600, "max_s": 7200, "min_units": 100, "gates": ["errors", "p95"]},
        {"percentage": 90, "min_s": 600, "max_s": 7200, "min_units": 100, "gates": ["errors", "p95"]},
    ],
}
FLAG: dict[str, Any] = {
    "key": "search-v2",
    "variants": {"new": True, "legacy": False},
    "off_variant": "legacy",
    "rules": [{"name": "staff", "when": {"attribute": "staff", "op": "exists"}, "serve": {"variant": "legacy"}}],
    "version": 1,
}


def plan_with(**changes: Any) -> Plan:
    return Plan.model_validate(PLAN | changes)


def draft(plan: Plan) -> Rollout:
    return Rollout(id=f"{plan.name}-1", plan=plan, state_since=BEGIN, created_at=BEGIN)


def answered(answer: Answer) -> Move:
    assert isinstance(answer, Move), answer
    return answer


def refused(answer: Answer) -> str:
    assert isinstance(answer, Refused), answer
    return answer.reason


class Driven:
    """A rollout in a world of its own: a flag, a clock, and whatever evidence a test gives."""

    def __init__(self, plan: Plan | None = None, flag: Flag | None = None) -> None:
        self.rollout = draft(plan or plan_with())
        self.flag = flag or Flag.model_validate(FLAG)
        self.now = BEGIN
        self.killed: str | None = None
        self.changed_by = "crossfade"
        self.moves: list[Move] = []

    @property
    def state(self) -> RolloutState:
        return self.rollout.state

    @property
    def percentage(self) -> float:
        return weight_of_variant(self.flag, "new") / 1000

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def facts(self, **facts: Any) -> Facts:
        weight = weight_in_force(self.flag, self.rollout)
        return Facts(self.flag.version, weight, self.changed_by, self.killed, **facts)

    def ground(self, *others: Rollout) -> Ground:
        return Ground(self.flag, "search-v2", BACKENDS, self.killed is not None, others, self.now)

    def make(self, move: Move) -> Move:
        """Write the flag and the rollout as the move wants them, both or none."""
        after = flag_after(self.flag, self.rollout, move)
        if after is not None:
            assert self.killed is None or not raises(self.flag, after, 0.0), "a kill would refuse it"
            self.flag = Flag.model_validate(after.model_dump() | {"version": self.flag.version + 1})
            self.changed_by = "crossfade"
        self.rollout = moved(self.rollout, move, self.now, self.flag.version)
        Rollout.model_validate(self.rollout.model_dump())
        self.moves.append(move)
        return move

    def look(
        self,
        verdicts: Mapping[str, Verdict] | Verdict = PASS,
        *,
        units: int = 1000,
        sample_ratio: Verdict = INCONCLUSIVE,
        errors_in_a_row: int = 0,
        is_fresh: bool = True,
        is_behind: bool = False,
        **facts: Any,
    ) -> Move:
        """Judge once by these verdicts (one for all gates, or by name, PASS for the others) and do what follows."""
        gates = self.rollout.plan.gates
        given = {name: verdicts.get(name, PASS) if isinstance(verdicts, Mapping) else verdicts for name in gates}
        judgements = {name: Judgement(verdict) for name, verdict in given.items()}
        ratio = Judgement(sample_ratio)
        evidence = Evidence(self.facts(**facts), judgements, units, ratio, is_fresh, errors_in_a_row, is_behind)
        return self.make(advance(self.rollout, evidence, self.now))

    def look_later(self, verdicts: Mapping[str, Verdict] | Verdict = PASS, **more: Any) -> Move:
        """Judge once the step's shortest time is over."""
        self.wait(600)
        return self.look(verdicts, **more)

    def start(self, *others: Rollout) -> "Driven":
        self.make(answered(commands.start(self.rollout, ANA, self.ground(*others))))
        return self

    def to_step(self, step: int) -> "Driven":
        """Start, and pass every step before this one."""
        self.start()
        for _ in range(step):
            self.look_later()
        assert self.rollout.step == step
        return self

    def tell(self, command: Callable[..., Answer], *more: Any) -> Answer:
        """Give an order, and make the move when there is one."""
        answer = command(self.rollout, ANA, *more)
        if isinstance(answer, Move):
            self.make(answer)
        return answer

    def set_by_hand(self, percentage: float, who: str = "bob") -> None:
        """Change the flag's percentage as a person does."""
        after = rolled_out(self.flag, percentage, "new")
        self.flag = after.model_copy(update={"version": self.flag.version + 1})
        self.changed_by = who

    def edit_by_hand(self, **changes: Any) -> None:
        """Change anything else of the flag."""
        self.flag = self.flag.model_copy(update=changes | {"version": self.flag.version + 1})
        self.changed_by = "bob"

    def cohorts(self) -> list[str]:
        return [rule.name for rule in self.flag.rules if rule.name.startswith("rollout ")]
