"""The state of one gate, and what it says: the one place that knows which evidence a gate rests on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue, TypeAdapter

from rollouts.baseline import Baseline, Frozen
from rollouts.bounded import BoundedEvidence
from rollouts.evidence import Judgement, Side, Verdict
from rollouts.limits import Limit, worst
from rollouts.means import MeanEvidence, difference, distance
from rollouts.metrics import ALONE, BOUNDED, LATENCY_MS, Statistic
from rollouts.plan import Gate
from rollouts.sequential import RateEvidence, RatioEvidence
from rollouts.wealth import e_value

BEGINS = 8
"""For so many later steps, the bake counting as one, harm evidence is begun again where nobody says how many come."""

CLOSED = (Verdict.FAIL, Verdict.PASS)
"""Verdicts that need nothing."""


@dataclass(slots=True)
class _State:
    """All that is kept; what a gate has no use for is None."""

    begins: int
    step: int = 0
    baseline: Baseline | None = None
    frozen: Frozen | None = None
    ratio: RatioEvidence | None = None
    rate: RateEvidence | None = None
    means: MeanEvidence | None = None
    bounded: BoundedEvidence | None = None


_KEPT = TypeAdapter(_State)


class GateStatistics:
    """Evidence on one gate: takes what is counted, tick by tick or value by value, and judges it at any time.

    `begins` is how many steps, the bake counting as one, come after the first: evidence of harm is begun again at
    each, beside what goes on. What is counted belongs to the step that was begun last.
    """

    def __init__(self, gate: Gate, baseline_calls: int, begins: int = BEGINS) -> None:
        self._gate = gate
        self._baseline_calls = baseline_calls
        self._state = _fresh(gate, begins)

    @classmethod
    def load(cls, gate: Gate, baseline_calls: int, dumped: object) -> "GateStatistics":
        """Return the gate's statistics as they were dumped; raise ValueError for what no dump is."""
        loaded = cls(gate, baseline_calls)
        loaded._state = _KEPT.validate_python(dumped)
        return loaded

    def dump(self) -> dict[str, JsonValue]:
        """Return the state as JSON values."""
        kept: dict[str, JsonValue] = _KEPT.dump_python(self._state, mode="json")
        return kept

    @property
    def is_baseline_wanted(self) -> bool:
        """Whether latencies of the control are still wanted to fix the threshold."""
        return self._state.baseline is not None

    @property
    def threshold(self) -> float | None:
        """The latency, in ms, beyond which a call is an event of the relative limit; None before it is known."""
        return self._state.frozen and self._state.frozen.threshold_ms

    def add_baseline(self, latency_ms: float) -> None:
        """Take a latency of the control; with the last one wanted the threshold is fixed."""
        state, gate = self._state, self._gate
        if state.baseline is None or gate.quantile is None or gate.relative is None:
            return
        state.baseline.add(latency_ms)
        if state.baseline.count >= self._baseline_calls:
            state.frozen = state.baseline.frozen(gate.quantile, gate.relative, gate.excluded)
            state.ratio = RatioEvidence.of(state.frozen.limit, state.frozen.margin, True, state.begins)
            state.baseline = None

    def begin_step(self, step: int) -> None:
        """Go on to a step: what lets it pass has to be shown anew; to begin the one it is at does nothing."""
        if step == self._state.step:
            return
        self._state.step = step
        for evidence in (self._state.ratio, self._state.rate, self._state.means, self._state.bounded):
            if evidence is not None:
                evidence.begin()

    def tick(self, exposed_new: int, exposed_control: int, events_new: int, events_control: int) -> None:
        """Take exposures of units at risk and their first events; of a quantile, calls beyond `threshold`.

        Before a threshold is known there is nothing to count.
        """
        if self._state.ratio is not None:
            self._state.ratio.observe(exposed_new, exposed_control, events_new, events_control)
        if self._state.rate is not None and self._gate.statistic is Statistic.RATE:
            self._state.rate.observe(exposed_new, events_new)

    def tick_absolute(self, exposed_new: int, events_new: int) -> None:
        """Take the new side's exposures and first events beyond a quantile's absolute limit."""
        if self._state.rate is not None and self._gate.statistic is Statistic.QUANTILE:
            self._state.rate.observe(exposed_new, events_new)

    def value(self, is_new: bool, value: float) -> None:
        """Take a unit's first value in this step; what is no finite number is left out."""
        if not math.isfinite(value):
            return
        if self._state.means is not None:
            self._state.means.add(is_new, value)
        if self._state.bounded is not None and (is_new or self._gate.metric in ALONE):
            self._state.bounded.add(value)

    def verdict(self, alpha_fail: float, alpha_pass: float) -> Verdict:
        """Return the worst verdict on a limit of the gate, without the evidence in figures and words."""
        return worst([limit.verdict(alpha_fail, alpha_pass) for limit in self._limits()])

    def judge(self, alpha_fail: float, alpha_pass: float) -> Judgement:
        """Judge all limits of the gate: the worst verdict counts."""
        limits, verdict = self._limits(), self.verdict(alpha_fail, alpha_pass)
        new, control = _sides(self._state)
        ratio, low, high = _estimate(self._gate, self._state, alpha_pass)
        e_harm, e_safe = max(limit.harm for limit in limits), min(limit.safe for limit in limits)
        needs = "" if verdict in CLOSED else _needs(limits, alpha_fail, alpha_pass)
        return Judgement(
            verdict, new, control, ratio, low, high, e_value(e_harm), e_value(e_safe), self.threshold, needs
        )

    def _limits(self) -> list[Limit]:
        return [*_limits(self._gate, self._state, self._baseline_calls)]


def _needs(limits: list[Limit], alpha_fail: float, alpha_pass: float) -> str:
    """Say what the limits need that neither hold nor are broken."""
    still_open = (limit for limit in limits if limit.verdict(alpha_fail, alpha_pass) not in CLOSED)
    return "; ".join(dict.fromkeys(limit.needs(alpha_pass) for limit in still_open))


def _fresh(gate: Gate, begins: int) -> _State:
    state = _State(begins)
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


def _limits(gate: Gate, state: _State, baseline_calls: int) -> Iterator[Limit]:
    worse = 1 if gate.is_lower_better else -1
    relative, absolute = _relative_aim(gate), _absolute_aim(gate)
    if state.baseline is not None:
        more = baseline_calls - state.baseline.count
        yield Limit(0.0, lambda _: 0.0, relative, 0, f"{more:,} more calls of the control fix the threshold")
    if state.ratio is not None:
        step = state.ratio.step
        missing = _missing(step.exposed_new, step.exposed_control, "calls")
        unknown = "" if step.events_new + step.events_control else "there is no ratio before it happens on either side"
        yield Limit(
            state.ratio.log_e_harm, state.ratio.log_e_safe_at, relative, step.exposed_new, missing, unknown=unknown
        )
    if state.rate is not None:
        exposed = state.rate.exposed
        yield Limit(
            state.rate.log_e_harm, state.rate.log_e_safe_at, absolute, exposed, _missing(exposed, None, "calls")
        )
    if state.bounded is not None:
        seen = state.bounded.step.count
        missing = _missing(seen, None, "values")
        yield Limit(state.bounded.log_e_harm, state.bounded.log_e_safe_at, absolute, seen, missing, units="values")
    if state.means is not None:
        yield from _mean_limits(gate, state.means, state.begins, worse)


def _mean_limits(gate: Gate, means: MeanEvidence, begins: int, worse: int) -> Iterator[Limit]:
    step = means.step
    if gate.relative is not None:
        yield Limit(
            means.log_e_against(gate.relative, worse, begins),
            lambda factor: difference(step, gate.excluded, factor).log_e(-worse, factor),
            _relative_aim(gate),
            step.new.count,
            _missing(step.new.count, step.control.count, "units"),
            units="units",
        )
    if gate.absolute is not None and gate.metric not in BOUNDED:
        limit = gate.absolute
        yield Limit(
            means.log_e_absolute(limit, worse, begins),
            partial(_safe_mean, means, limit, -worse),
            _absolute_aim(gate),
            step.new.count,
            _missing(step.new.count, None, "units"),
            units="units",
        )


def _safe_mean(means: MeanEvidence, limit: float, sign: int, factor: float) -> float:
    return distance(means.step, limit, factor).log_e(sign, factor)


def _missing(new: int, control: int | None, units: str) -> str:
    if not new:
        return f"no {units} of the new side yet"
    return f"no {units} of the control yet" if control == 0 else ""


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


def _sides(state: _State) -> tuple[Side, Side]:
    """Return what was counted in the step."""
    if state.ratio is not None:
        step = state.ratio.step
        return Side(step.exposed_new, step.events_new), Side(step.exposed_control, step.events_control)
    if state.rate is not None:
        return Side(state.rate.exposed, state.rate.events), Side()
    if state.means is not None:
        new, control = state.means.step.new, state.means.step.control
        return Side(new.count, mean=new.mean), Side(control.count, mean=control.mean)
    if state.bounded is not None:
        return Side(state.bounded.step.count, mean=state.bounded.step.mean), Side()
    return Side(), Side()


def _estimate(gate: Gate, state: _State, alpha: float) -> tuple[float | None, float | None, float | None]:
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
