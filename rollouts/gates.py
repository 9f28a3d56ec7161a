"""The statistics of one gate: they take what is counted, and say at any time what the gate is to be judged."""

import math

from pydantic import JsonValue, TypeAdapter

from rollouts.evidence import Judgement, Verdict
from rollouts.gate_limits import limits_of
from rollouts.gate_state import GateState, estimate, fresh_state, sides
from rollouts.limits import Limit, worst
from rollouts.metrics import ALONE, Statistic
from rollouts.plan import Gate
from rollouts.sequential import RatioEvidence, Tick
from rollouts.wealth import e_value

BEGINS = 8
"""For so many later steps, the bake counting as one, harm evidence is begun again where nobody says how many come."""

CLOSED = (Verdict.FAIL, Verdict.PASS)
"""Verdicts that need nothing."""

_KEPT = TypeAdapter(GateState)


class GateStatistics:
    """Evidence on one gate: takes what is counted, tick by tick or value by value, and judges it at any time.

    `begins` is how many steps, the bake counting as one, come after the first: evidence of harm is begun again at
    each, beside what goes on. What is counted belongs to the step that was begun last.
    """

    def __init__(self, gate: Gate, baseline_calls: int, begins: int = BEGINS) -> None:
        self._gate = gate
        self._baseline_calls = baseline_calls
        self._state = fresh_state(gate, begins)

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

    def tick(self, here: Tick, ever: Tick) -> None:
        """Take exposures of units at risk and their first events; of a quantile, calls beyond `threshold`.

        `here` is of units without an event in this step yet, `ever` of those of them without one in the whole rollout.
        Before a threshold is known there is nothing to count.
        """
        if self._state.ratio is not None:
            self._state.ratio.observe(here, ever)
        if self._state.rate is not None and self._gate.statistic is Statistic.RATE:
            self._state.rate.observe(here, ever)

    def tick_absolute(self, here: Tick, ever: Tick) -> None:
        """Take the same, of which the new side counts, beyond a quantile's absolute limit."""
        if self._state.rate is not None and self._gate.statistic is Statistic.QUANTILE:
            self._state.rate.observe(here, ever)

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
        return worst([limit.verdict(alpha_fail, alpha_pass) for limit in self._limits(alpha_fail, alpha_pass)])

    def judge(self, alpha_fail: float, alpha_pass: float) -> Judgement:
        """Judge all limits of the gate: the worst verdict counts."""
        limits, verdict = self._limits(alpha_fail, alpha_pass), self.verdict(alpha_fail, alpha_pass)
        new, control = sides(self._state)
        ratio, low, high = estimate(self._gate, self._state, alpha_pass)
        e_harm, e_safe = max(limit.harm for limit in limits), min(limit.safe for limit in limits)
        needs = "" if verdict in CLOSED else _needs(limits, alpha_fail, alpha_pass)
        return Judgement(
            verdict, new, control, ratio, low, high, e_value(e_harm), e_value(e_safe), self.threshold, needs
        )

    def _limits(self, alpha_fail: float, alpha_pass: float) -> list[Limit]:
        """Return the limits that count: where an absolute one is shown to hold, a ratio of nothing to nothing does not.

        Otherwise two sides without a fault would wait for one.
        """
        limits = [*limits_of(self._gate, self._state, self._baseline_calls)]
        told = [limit for limit in limits if limit.missing or not limit.unknown]
        return told if any(each.verdict(alpha_fail, alpha_pass) is Verdict.PASS for each in told) else limits


def _needs(limits: list[Limit], alpha_fail: float, alpha_pass: float) -> str:
    """Say what the limits need that neither hold nor are broken."""
    still_open = (limit for limit in limits if limit.verdict(alpha_fail, alpha_pass) not in CLOSED)
    return "; ".join(dict.fromkeys(limit.needs(alpha_pass) for limit in still_open))
