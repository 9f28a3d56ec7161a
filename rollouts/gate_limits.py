"""From what is kept of a gate to its limits: the evidence on each, and in words what each is about."""

from collections.abc import Iterator

from rollouts.bounded import BoundedEvidence
from rollouts.gate_state import GateState
from rollouts.limits import Limit
from rollouts.means import MeanEvidence, difference, distance
from rollouts.metrics import BOUNDED, LATENCY_MS, OUTCOME, Statistic
from rollouts.plan import Gate
from rollouts.sequential import RateEvidence, RatioEvidence


def limits_of(gate: Gate, state: GateState, baseline_calls: int) -> Iterator[Limit]:
    """Yield the gate's limits, relative ones first."""
    if state.baseline is not None:
        more = baseline_calls - state.baseline.count
        yield Limit(0.0, lambda _: 0.0, _relative_aim(gate), 0, f"{more:,} more calls of the control fix the threshold")
    if state.ratio is not None:
        yield _of_ratio(gate, state.ratio)
    if state.means is not None and gate.relative is not None:
        yield _of_means(gate, gate.relative, state.means, state.begins)
    if state.rate is not None:
        yield _of_rate(gate, state.rate)
    if state.bounded is not None:
        yield _of_bounded(gate, state.bounded)
    if state.means is not None and gate.absolute is not None and gate.metric not in BOUNDED:
        yield _of_mean(gate, gate.absolute, state.means, state.begins)


def _of_ratio(gate: Gate, evidence: RatioEvidence) -> Limit:
    step = evidence.step
    return Limit(
        evidence.log_e_harm,
        evidence.log_e_safe,
        _relative_aim(gate),
        step.exposed_new,
        _missing_calls(gate, step.exposed_new, step.exposed_control),
        "" if step.events_new + step.events_control else "there is no ratio before it happens on either side",
    )


def _of_rate(gate: Gate, evidence: RateEvidence) -> Limit:
    missing = _missing_calls(gate, evidence.exposed, None)
    return Limit(evidence.log_e_harm, evidence.log_e_safe, _absolute_aim(gate), evidence.exposed, missing)


def _of_bounded(gate: Gate, evidence: BoundedEvidence) -> Limit:
    seen = evidence.step.count
    return Limit(
        evidence.log_e_harm,
        evidence.log_e_safe,
        _absolute_aim(gate),
        seen,
        _missing(seen, None, "values"),
        units="values",
    )


def _of_means(gate: Gate, ratio: float, means: MeanEvidence, begins: int) -> Limit:
    worse, step = _worse(gate), means.step
    return Limit(
        means.log_e_against(ratio, worse, begins),
        lambda factor: difference(step, gate.excluded, factor).log_e(-worse, factor),
        _relative_aim(gate),
        step.new.count,
        _missing(step.new.count, step.control.count, "units"),
        units="units",
    )


def _of_mean(gate: Gate, limit: float, means: MeanEvidence, begins: int) -> Limit:
    worse, step = _worse(gate), means.step
    return Limit(
        means.log_e_absolute(limit, worse, begins),
        lambda factor: distance(step, limit, factor).log_e(-worse, factor),
        _absolute_aim(gate),
        step.new.count,
        _missing(step.new.count, None, "units"),
        units="units",
    )


def _worse(gate: Gate) -> int:
    return 1 if gate.is_lower_better else -1


def _missing_calls(gate: Gate, new: int, control: int | None) -> str:
    missing = _missing(new, control, "calls")
    waits = missing and gate.metric.startswith(OUTCOME)
    return f"{missing}; those of the last minutes still wait for their outcomes" if waits else missing


def _missing(new: int, control: int | None, units: str) -> str:
    if not new:
        return f"no {units} of the new side yet"
    return f"no {units} of the control in this step" if control == 0 else ""


def _relative_aim(gate: Gate) -> str:
    return f"{_what(gate)} is {_side(gate)} {gate.excluded:g}x the control's"


def _absolute_aim(gate: Gate) -> str:
    if gate.absolute is None:
        return ""
    if gate.statistic is Statistic.RATE:
        return f"{_what(gate)} is {_side(gate)} {100 * gate.absolute:g} %"
    return f"{_what(gate)} is {_side(gate)} {gate.absolute:g}{' ms' if gate.metric == LATENCY_MS else ''}"


def _what(gate: Gate) -> str:
    if gate.quantile is not None:
        return f"its p{100 * gate.quantile:g}"
    return "its mean" if gate.statistic is Statistic.MEAN else "its rate"


def _side(gate: Gate) -> str:
    return "below" if gate.is_lower_better else "above"
