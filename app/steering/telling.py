"""What is told of a rollout: how far each gate is, and what was judged when."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from flags.bucketing import BUCKETS
from flags.percentage import MAX_PERCENTAGE
from rollouts.evidence import Evidence, Facts, Judgement, Verdict
from rollouts.model import Rollout, RolloutState
from rollouts.moves import Move, MoveKind

LARGEST = 1e300
"""What JSON says in the place of infinity."""


class Told(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class SideTold(Told):
    """What was counted of one side: exposures of units at risk and first events, or values with their mean."""

    exposures: int
    events: int
    mean: float | None


class JudgementTold(Told):
    """A verdict and what it rests on; `needs` says what would change it."""

    verdict: Verdict
    needs: str
    new: SideTold
    control: SideTold
    ratio: float | None
    low: float | None
    high: float | None
    e_harm: float
    e_safe: float
    threshold_ms: float | None


class FactsTold(Told):
    """What was true without statistics; `percentage` is the new side's random share in force."""

    flag_version: int
    percentage: float | None
    changed_by: str
    killed: str | None
    breaker_open_s: float
    recent_calls: int
    recent_errors: int


class Evaluation(Told):
    """One look of the controller: what it found, and the move it made of that; a `dry` one changed nothing."""

    at: datetime
    state: RolloutState
    step: int
    percentage: float
    move: MoveKind
    why: str
    dry: bool
    units: int
    gates: dict[str, JudgementTold]
    sample_ratio: JudgementTold
    facts: FactsTold


class GateTold(JudgementTold):
    """A gate of the step, or a guardrail, as it stands."""

    gate: str
    metric: str
    is_of_step: bool
    is_guardrail: bool
    is_dry_run: bool


class Progress(Told):
    """How far a rollout is in its step; times are in seconds, None where nothing ends."""

    at: datetime
    step: int
    steps: int
    percentage: float
    units: int
    min_units: int
    step_s: float
    min_left_s: float
    max_left_s: float | None
    bake_left_s: float | None
    sample_ratio: JudgementTold
    gates: list[GateTold]


def evaluation_of(rollout: Rollout, evidence: Evidence, move: Move, now: datetime) -> Evaluation:
    """Tell what was found of a rollout as it was before the move."""
    return Evaluation(
        at=now,
        state=rollout.state,
        step=rollout.step,
        percentage=rollout.current.percentage,
        move=move.kind,
        why=move.why,
        dry=move.dry,
        units=evidence.units,
        gates={name: JudgementTold(**_told(each)) for name, each in evidence.judgements.items()},
        sample_ratio=JudgementTold(**_told(evidence.sample_ratio)),
        facts=_facts(evidence.facts),
    )


def progress_of(
    rollout: Rollout, judgements: Mapping[str, Judgement], units: int, sample_ratio: Judgement, now: datetime
) -> Progress:
    """Tell how far a started rollout is."""
    step, since = rollout.current, rollout.step_since or rollout.state_since
    patient_since, baking_since = rollout.patient_since or since, rollout.baking_since
    return Progress(
        at=now,
        step=rollout.step,
        steps=len(rollout.plan.steps),
        percentage=step.percentage,
        units=units,
        min_units=step.min_units,
        step_s=_seconds(now - since),
        min_left_s=_left(since, step.min_s, now) if baking_since is None else 0.0,
        max_left_s=None if step.max_s is None or baking_since else _left(patient_since, step.max_s, now),
        bake_left_s=_left(baking_since, rollout.plan.bake_s, now) if baking_since else None,
        sample_ratio=JudgementTold(**_told(sample_ratio)),
        gates=[*_gates(rollout, judgements)],
    )


def _gates(rollout: Rollout, judgements: Mapping[str, Judgement]) -> Iterator[GateTold]:
    for name, gate in rollout.plan.gates.items():
        is_of_step, is_guardrail = name in rollout.current.gates, name in rollout.plan.guardrails
        if is_of_step or is_guardrail:
            yield GateTold(
                gate=name,
                metric=gate.metric,
                is_of_step=is_of_step,
                is_guardrail=is_guardrail,
                is_dry_run=gate.dry_run,
                **_told(judgements.get(name, Judgement(Verdict.NO_DATA))),
            )


def _told(judged: Judgement) -> dict[str, Any]:
    sides = {side: SideTold.model_validate(getattr(judged, side)) for side in ("new", "control")}
    e_values = {name: min(getattr(judged, name), LARGEST) for name in ("e_harm", "e_safe")}
    return judged._asdict() | sides | e_values


def _facts(facts: Facts) -> FactsTold:
    return FactsTold(
        flag_version=facts.flag_version,
        percentage=None if facts.weight is None else facts.weight * MAX_PERCENTAGE / BUCKETS,
        changed_by=facts.changed_by,
        killed=facts.killed,
        breaker_open_s=round(facts.breaker_open_s, 3),
        recent_calls=facts.recent.calls,
        recent_errors=facts.recent.errors,
    )


def _left(since: datetime, seconds: float, now: datetime) -> float:
    return max(0.0, _seconds(since + timedelta(seconds=seconds) - now))


def _seconds(span: timedelta) -> float:
    return round(span.total_seconds(), 3)
