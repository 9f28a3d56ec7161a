"""What is kept of a gate, and what it comes to in figures: which evidence a gate rests on is decided here."""

from dataclasses import dataclass

from rollouts.baseline import Baseline, Frozen
from rollouts.bounded import BoundedEvidence
from rollouts.evidence import Side
from rollouts.means import MeanEvidence, Moments
from rollouts.metrics import BOUNDED, Statistic
from rollouts.plan import Gate
from rollouts.sequential import RateEvidence, RatioEvidence


@dataclass(slots=True)
class GateState:
    """All that is kept; what a gate has no use for, or not yet, is None. `begins` counts the steps after the first."""

    begins: int
    step: int = 0
    baseline: Baseline | None = None
    frozen: Frozen | None = None
    ratio: RatioEvidence | None = None
    rate: RateEvidence | None = None
    means: MeanEvidence | None = None
    bounded: BoundedEvidence | None = None


def fresh_state(gate: Gate, begins: int) -> GateState:
    """Return the state of a gate that nothing was counted for."""
    state = GateState(begins)
    if gate.statistic is Statistic.MEAN:
        if gate.absolute is not None and gate.metric in BOUNDED:
            state.bounded = BoundedEvidence.of(gate.absolute, gate.is_lower_better, begins)
        if gate.relative is not None or state.bounded is None:
            state.means = MeanEvidence()
        return state
    if gate.absolute is not None:
        share = gate.absolute if gate.quantile is None else 1 - gate.quantile
        state.rate = RateEvidence.of(share, gate.is_lower_better, begins)
    if gate.relative is not None and gate.quantile is not None:
        state.baseline = Baseline()
    elif gate.relative is not None:
        state.ratio = RatioEvidence.of(gate.relative, gate.excluded, gate.is_lower_better, begins)
    return state


def sides(state: GateState) -> tuple[Side, Side]:
    """Return what was counted in the step."""
    if state.ratio is not None:
        step = state.ratio.step
        return Side(step.exposed_new, step.events_new), Side(step.exposed_control, step.events_control)
    if state.rate is not None:
        return Side(state.rate.exposed, state.rate.events), Side()
    if state.means is not None:
        new, control = state.means.step.new, state.means.step.control
        return _valued(new), _valued(control)
    if state.bounded is not None:
        return Side(state.bounded.step.count, mean=state.bounded.step.mean), Side()
    return Side(), Side()


def _valued(moments: Moments) -> Side:
    return Side(moments.count, mean=moments.mean if moments.count else None)


def estimate(gate: Gate, state: GateState, alpha: float) -> tuple[float | None, float | None, float | None]:
    """Return ratio and interval in the step; without a relative limit, the interval of the new side's own value."""
    if state.ratio is not None:
        return state.ratio.step.ratio, *state.ratio.step.interval(alpha)
    if state.means is not None and gate.relative is not None:
        return state.means.ratio, *state.means.interval(alpha)
    if state.means is not None:
        return None, *state.means.mean_interval(alpha)
    if state.rate is not None and gate.relative is None and state.rate.exposed:
        return None, *state.rate.interval(alpha)
    if state.bounded is not None and state.bounded.step.count:
        return None, *state.bounded.step.interval()
    return None, None, None
