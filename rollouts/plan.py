"""The plan of a rollout: its steps, what must hold before the next one, and what sends everyone back."""

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, Field, Strict, StringConstraints, model_validator

from flags.conditions import MAX_DEPTH, Condition, depth
from flags.context import MAX_KEY_LENGTH
from flags.names import Key
from flags.part import AttributeName, Part
from flags.percentage import MAX_PERCENTAGE, weight_of
from rollouts.metrics import ALONE, BOUNDED, CALL_RATES, OUTCOME, VALUED, Direction, Statistic, better
from rollouts.refusals import refuse

DAY_S = 86_400
YEAR_S = 366 * DAY_S

Seconds = Annotated[int, Field(ge=0, le=YEAR_S, strict=True)]
Limit = Annotated[float, Field(ge=0, le=1e12)]
Ratio = Annotated[float, Field(gt=0, le=1000)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A name of a plan, of a gate or of a route: 1 to 64 of lower-case letters, digits, `_` and `-`."""

_OWN = "|".join(sorted(CALL_RATES | {metric for metric in VALUED if not metric.startswith(OUTCOME)}))

Metric = Annotated[str, StringConstraints(pattern=rf"^({_OWN}|{OUTCOME}[a-z][a-z0-9_-]{{0,63}})$")]
"""What Crossfade measures itself, or `outcome:` with the kind of a reported one."""


def _has_three_decimals(percentage: float) -> float:
    weight_of(percentage)
    return percentage


Percentage = Annotated[float, Field(ge=0, le=MAX_PERCENTAGE, strict=True), AfterValidator(_has_three_decimals)]
"""A share of everyone, in steps of 0.001 %."""


class OnFail(StrEnum):
    """What a failed gate does: everyone back, wait for better evidence, or wait for a person."""

    ROLLBACK = "rollback"
    HOLD = "hold"
    PAUSE = "pause"


class Gate(Part):
    """A limit on one metric of the new side, absolute or relative to the control at the same time.

    Relative limits and `margin` are ratios new / control; of a quantile, ratios of time. A gate FAILs when it is shown
    that a limit is broken, and passes when it is shown that the ratio is on the right side of `margin`, and the
    absolute limit held. `dry_run`: judged and recorded, and nothing follows.
    """

    metric: Metric
    quantile: Annotated[float, Field(ge=0.5, le=0.999)] | None = None
    direction: Direction | None = None
    relative_max: Ratio | None = None
    relative_min: Ratio | None = None
    absolute_max: Limit | None = None
    absolute_min: Limit | None = None
    margin: Ratio | None = None
    dry_run: Annotated[bool, Strict()] = False

    @model_validator(mode="after")
    def means_something(self) -> Self:
        """Refuse gates that could never be judged."""
        refuse(gate_faults(self))
        return self

    @property
    def statistic(self) -> Statistic:
        """What of the metric is judged."""
        if self.quantile is not None:
            return Statistic.QUANTILE
        return Statistic.MEAN if self.metric in VALUED else Statistic.RATE

    @property
    def is_lower_better(self) -> bool:
        """Whether less is better."""
        return (self.direction or better(self.metric)) is Direction.LOWER

    @property
    def relative(self) -> float | None:
        """The ratio new / control that may not be passed, None for none."""
        return self.relative_max if self.is_lower_better else self.relative_min

    @property
    def absolute(self) -> float | None:
        """The value that may not be passed, in the metric's unit or as a share of exposures, None for none."""
        return self.absolute_max if self.is_lower_better else self.absolute_min

    @property
    def excluded(self) -> float:
        """The ratio new / control that has to be excluded for a relative limit to pass."""
        if self.margin is not None:
            return self.margin
        ratio = self.relative or 1.0
        return max(2.0, 1.5 * ratio) if self.is_lower_better else min(0.5, ratio / 1.5)


class Step(Part):
    """A percentage, and what must hold before the next one.

    Times are seconds from its begin; at `max_s` without a verdict a person is asked. `min_units` counts units of the
    new side's random share that were seen in this step, after the warm-up.
    """

    percentage: Percentage
    min_s: Seconds = 0
    max_s: Annotated[int, Field(gt=0, le=YEAR_S, strict=True)] | None = None
    min_units: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 0
    gates: Annotated[tuple[Name, ...], Field(max_length=32)] = ()
    approval: Annotated[bool, Strict()] = False


class Cohort(Part):
    """Callers who get the new side before the random share does, and stay out of every comparison.

    Named one by one by what the flag hashes, or chosen by their attributes.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    keys: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_LENGTH)], ...],
        Field(max_length=100_000),
    ] = ()
    when: Condition | None = None

    @model_validator(mode="after")
    def chooses_somebody(self) -> Self:
        """Refuse both and neither, and conditions that no rule may have."""
        if bool(self.keys) == (self.when is not None):
            raise ValueError('give exactly one of "keys" and "when"')
        if self.when is not None and depth(self.when) > MAX_DEPTH:
            raise ValueError(f"when: conditions may be nested {MAX_DEPTH} deep at most")
        return self


class HardLimits(Part):
    """What sends everyone back at once, without statistics; None switches one off.

    `breaker_open_s`: the new backend's breaker has been open for longer. `error_share`: of the calls decided for the
    new side in the last `error_window_s`, if there were `error_min_calls`. A kill always does, and so does a critical
    alert, which is an order.
    """

    breaker_open_s: Annotated[float, Field(gt=0, le=3600)] | None = 30.0
    error_share: Annotated[float, Field(gt=0, lt=1)] | None = 0.5
    error_window_s: Annotated[int, Field(ge=5, le=300, strict=True)] = 30
    error_min_calls: Annotated[int, Field(ge=5, le=10**6, strict=True)] = 20


class Plan(Part):
    """How a flag's percentage is raised: frozen when the rollout starts.

    `alpha` is the chance, over the whole rollout, that it is rolled back although the new side is as good as the
    control, and the chance that a gate passes although its ratio stands at the margin. `holdback` is the percentage
    that stays with the control at the end. `baseline_calls` of the control freeze a quantile's threshold.
    """

    name: Name
    flag: Key
    route: Name
    variant: Key | None = None
    unit: AttributeName | None = None
    alpha: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    interval_s: Annotated[int, Field(ge=1, le=3600, strict=True)] = 30
    warm_up_s: Seconds = 60
    cooldown_s: Seconds = 3600
    holdback: Annotated[Percentage, Field(le=50)] = 0
    bake_s: Seconds = 0
    baseline_calls: Annotated[int, Field(ge=100, le=100_000, strict=True)] = 1000
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=32)]
    gates: Annotated[dict[Name, Gate], Field(min_length=1, max_length=32)]
    guardrails: Annotated[tuple[Name, ...], Field(max_length=32)] = ()
    cohorts: Annotated[tuple[Cohort, ...], Field(max_length=32)] = ()
    hard_limits: HardLimits = HardLimits()
    on_fail: OnFail = OnFail.ROLLBACK
    dry_run: Annotated[bool, Strict()] = False

    @model_validator(mode="after")
    def can_be_gone(self) -> Self:
        """Refuse plans that cannot reach their end, or that nothing guards."""
        refuse(plan_faults(self))
        return self

    def weight_at(self, step: int) -> int:
        """Return the random share of a step, in hundred-thousandths."""
        return weight_of(self.steps[step].percentage)

    def step_below(self, weight: int) -> int:
        """Return the last step whose share is not above a weight, the first when all are."""
        return max((at for at in range(len(self.steps)) if self.weight_at(at) <= weight), default=0)


def gate_faults(gate: Gate) -> list[str]:
    """Say why a gate could never be judged."""
    low, high = (gate.relative_max, gate.absolute_max), (gate.relative_min, gate.absolute_min)
    wanted, other = (low, high) if gate.is_lower_better else (high, low)
    words = ("max", "lower", "min") if gate.is_lower_better else ("min", "higher", "max")
    faults = []
    if any(each is not None for each in other):
        faults.append(f'of "{gate.metric}" {words[1]} is better: give a {words[0]}, not a {words[2]} (or "direction")')
    if all(each is None for each in wanted):
        faults.append(f"give relative_{words[0]}, absolute_{words[0]} or both")
    if gate.quantile is not None and gate.metric not in VALUED - BOUNDED:
        faults.append(f'"{gate.metric}" has no quantile')
    if gate.quantile is not None and not gate.is_lower_better:
        faults.append("a quantile can be limited from above only")
    if gate.metric in ALONE and gate.relative is not None:
        faults.append(f'"{gate.metric}" is of both sides together: give absolute_min')
    if gate.statistic is Statistic.RATE and gate.absolute is not None and not 0 < gate.absolute < 1:
        faults.append("an absolute limit of a rate is a share between 0 and 1")
    if gate.metric in BOUNDED and gate.absolute is not None and gate.absolute > 1:
        faults.append(f'"{gate.metric}" goes from 0 to 1')
    return faults + _margin_faults(gate)


def _margin_faults(gate: Gate) -> list[str]:
    if gate.margin is None:
        return []
    if gate.relative is None:
        return ["margin: belongs to a relative limit"]
    if gate.is_lower_better and gate.margin <= gate.relative:
        return ["margin: must be above relative_max, or nothing could pass before it fails"]
    if not gate.is_lower_better and gate.margin >= gate.relative:
        return ["margin: must be below relative_min, or nothing could pass before it fails"]
    return []


def plan_faults(plan: Plan) -> list[str]:
    """Say why a plan cannot be gone, or is not guarded."""
    faults = []
    percentages = [step.percentage for step in plan.steps]
    end = round(MAX_PERCENTAGE - plan.holdback, 3)
    if any(after <= before for before, after in pairwise(percentages)):
        faults.append("steps: every percentage must be above the one before")
    if percentages[-1] != end:
        faults.append(f"steps: the last must be {end:g} % (100 less the holdback), it is {percentages[-1]:g} %")
    if not plan.guardrails:
        faults.append("guardrails: name at least one gate that sends everyone back whenever it fails")
    if all(plan.gates[name].dry_run for name in plan.guardrails if name in plan.gates) and plan.guardrails:
        faults.append("guardrails: all are dry runs, so nothing guards the rollout")
    named = [
        ("guardrails", plan.guardrails),
        *((f"steps.{at}.gates", step.gates) for at, step in enumerate(plan.steps)),
    ]
    for place, names in named:
        faults += [f'{place}: there is no gate "{name}"' for name in names if name not in plan.gates]
        faults += [f'{place}: names "{name}" twice' for name in {*names} if names.count(name) > 1]
    cohorts = [cohort.name for cohort in plan.cohorts]
    faults += [f'cohorts: two are called "{name}"' for name in sorted({*cohorts}) if cohorts.count(name) > 1]
    for at, step in enumerate(plan.steps):
        faults += [f"steps.{at}: {fault}" for fault in _step_faults(plan, step)]
    return faults


def _step_faults(plan: Plan, step: Step) -> list[str]:
    faults = []
    gates = [(name, plan.gates[name]) for name in step.gates if name in plan.gates]
    if step.max_s is not None and step.max_s <= max(step.min_s, plan.warm_up_s if gates else 0):
        faults.append("max_s must be above min_s and the warm-up, or no gate could be judged in time")
    if step.percentage == 0 and not plan.cohorts:
        faults.append("0 % without cohorts moves nobody")
    if step.percentage == 0 and (gates or step.min_units):
        faults.append("at 0 % there is no random share, so gates and min_units could never be met")
    if step.percentage == MAX_PERCENTAGE:
        faults += [
            f'at 100 % nobody is left to compare with: gate "{name}" could never pass; keep a holdback, '
            "or give it an absolute limit alone"
            for name, gate in gates
            if gate.relative is not None and not gate.dry_run
        ]
    return faults
