"""The statistics of one rollout: what every line of the outcome log that is folded into them changes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pydantic import JsonValue, TypeAdapter

from rollouts.counters import At, Counter, Open, Span, counters, kind_of
from rollouts.evidence import Recent
from rollouts.firsts import Firsts
from rollouts.gates import GateStatistics
from rollouts.model import Rollout, Stage
from rollouts.plan import Plan
from rollouts.sample_ratio import SampleRatio
from rollouts.seen import Seen

TICK_S = 10
"""What is seen within so many seconds is seen at once; less where a plan is judged more often."""

OUTCOME_TICKS = 30
"""For so many ticks after a decision its outcomes are waited for: five minutes; later ones count for no gate's rate."""

SKEWED_TICKS = 6
"""A line that is seen so many ticks ahead of the clock is one of a wrong clock."""


class Place(NamedTuple):
    """What a stage says of its lines: when its step began, its share, and from which decision on lines count."""

    began_at: float
    weight: int
    counts_from: float

    @classmethod
    def of(cls, stage: Stage, plan: Plan) -> "Place":
        """Return a stage's; decisions are known to the second."""
        began_at = stage.began_at.timestamp()
        return cls(began_at, stage.weight, int(began_at) + plan.warm_up_s)


@dataclass(slots=True)
class _State:
    """All that is kept beside the gates.

    `visit` counts the steps that were begun, the bake being one, `began_at` is when the one it is in began. `assigned`
    are new units of the open tick by share and side, `seconds` calls and errors of the new side, `open` what the
    gates' counters have counted in ticks that are not over.
    """

    seq: int = 0
    tick: int = 0
    visit: int = -1
    began_at: float = 0.0
    is_baking: bool = False
    units: int = 0
    assigned: dict[int, list[int]] = field(default_factory=dict)
    seconds: dict[int, list[int]] = field(default_factory=dict)
    open: dict[str, dict[int, Open]] = field(default_factory=dict)
    sample_ratio: SampleRatio = field(default_factory=SampleRatio)


_STATE = TypeAdapter(_State)


class Statistics:
    """What a rollout is judged by, as of the line `seq` of the outcome log.

    The same lines in the same order give the same numbers, however they were cut into batches, and wherever a dump and
    a load came between.
    """

    def __init__(self, plan: Plan, dumped: JsonValue = None) -> None:
        """Begin, or go on from what was dumped; raise ValueError for what no dump is."""
        kept = dumped if isinstance(dumped, dict) else {"state": {}, "gates": {}}
        self._plan = plan
        self._state = _STATE.validate_python(kept.get("state"))
        self._tick_s = min(TICK_S, plan.interval_s)
        self.gates = _gates(plan, kept.get("gates"))
        spans = Span(self._tick_s), Span(self._tick_s, OUTCOME_TICKS * self._tick_s)
        self._counters: list[Counter] = []
        self._reported: dict[str, list[Counter]] = {}
        for name, gate in plan.gates.items():
            of_gate = [*counters(name, gate, self.gates[name], spans, self._state.open)]
            self._counters += of_gate
            self._reported.setdefault(kind_of(gate.metric), []).extend(of_gate)

    def dump(self) -> dict[str, JsonValue]:
        """Return all of it as JSON values."""
        gates: dict[str, JsonValue] = {name: gate.dump() for name, gate in self.gates.items()}
        return {"state": _STATE.dump_python(self._state, mode="json"), "gates": gates}

    @property
    def seq(self) -> int:
        """The last line of the log that is in it, or was looked at."""
        return self._state.seq

    @seq.setter
    def seq(self, seq: int) -> None:
        self._state.seq = seq

    @property
    def units(self) -> int:
        """The units of the new side that were seen in this step, after the warm-up."""
        return self._state.units

    @property
    def sample_ratio(self) -> SampleRatio:
        """The units by side, over the whole rollout."""
        return self._state.sample_ratio

    def take(self, line: Seen, place: Place, firsts: Firsts) -> None:
        """Fold a line of the rollout, and note the first events it brings."""
        state = self._state
        tick = int(line.seen_at // self._tick_s)
        if tick > state.tick:
            self._reach(tick)
        if place.began_at > state.began_at:
            self._begin(place.began_at)
        if line.is_exposure:
            self._see_call(line, place, firsts)
        if line.decided_at < place.counts_from:
            return
        at = At(state.tick, state.visit, place.began_at == state.began_at)
        if line.is_exposure and line.is_new and at.is_current and firsts.is_new((line.unit, f"@{state.visit}")):
            state.units += 1
        for counter in self._counters if line.is_exposure else self._reported.get(line.kind, ()):
            counter.take(line, at, firsts)

    def close(self, now: float) -> None:
        """Take the evidence of ticks that ended a tick ago or longer, whether or not a later line came."""
        over = int(now // self._tick_s) - 1
        if not over <= self._state.tick <= over + SKEWED_TICKS:
            self._reach(over)

    def enter(self, rollout: Rollout) -> None:
        """Begin the step that the rollout is at, or its bake, if no line has."""
        state = self._state
        began_at = rollout.stages[-1].began_at.timestamp()
        if began_at > state.began_at:
            self._begin(began_at)
        if rollout.baking_since is not None and not state.is_baking:
            self._begin(began_at)
            state.is_baking = True

    def recent(self, now: datetime) -> Recent:
        """Return what was seen of the new side within the window of the hard limits."""
        at, window_s = now.timestamp(), self._plan.hard_limits.error_window_s
        within = [counts for second, counts in self._state.seconds.items() if -TICK_S < at - second < window_s]
        return Recent(sum(calls for calls, _ in within), sum(errors for _, errors in within))

    def _see_call(self, line: Seen, place: Place, firsts: Firsts) -> None:
        if firsts.is_new((line.unit, "")):
            self._state.assigned.setdefault(place.weight, [0, 0])[not line.is_new] += 1
        if not line.is_new:
            return
        seconds, second = self._state.seconds, int(line.seen_at)
        counts = seconds.get(second)
        if counts is None:
            counts = seconds[second] = [0, 0]
            if len(seconds) > 2 * self._plan.hard_limits.error_window_s:
                del seconds[next(iter(seconds))]
        counts[0] += 1
        counts[1] += line.is_error

    def _reach(self, tick: int) -> None:
        """Take the evidence of what is over, and go on in another tick."""
        state = self._state
        over = max(tick, state.tick + 1)
        state.tick = tick
        for counter in self._counters:
            counter.close(over)
        for weight in sorted(state.assigned):
            state.sample_ratio.observe(weight / 100_000, *state.assigned[weight])
        state.assigned.clear()

    def _begin(self, began_at: float) -> None:
        state = self._state
        state.visit += 1
        state.began_at = began_at
        state.is_baking = False
        state.units = 0
        for counter in self._counters:
            counter.end_visit()
        for gate in self.gates.values():
            gate.begin_step(state.visit)


def _gates(plan: Plan, dumped: JsonValue) -> dict[str, GateStatistics]:
    kept = dumped if isinstance(dumped, dict) else {}
    begins = len(plan.steps) - 1 + bool(plan.bake_s)
    return {
        name: GateStatistics.load(gate, plan.baseline_calls, kept[name])
        if name in kept
        else GateStatistics(gate, plan.baseline_calls, begins)
        for name, gate in plan.gates.items()
    }
