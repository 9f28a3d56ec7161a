"""A flag with a schedule turned into phases, each compiled; the clock that is passed in chooses among them."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache

from .bucketing import BUCKETS
from .compiled import CompiledFlag, LastStep, OverTime, State
from .context import Context
from .decision import Decision
from .model import Flag
from .phases import Line, Phase, phase_at, phases
from .serve import Serve

Serving = Callable[[Serve], LastStep]
Standing = Callable[[LastStep | None], CompiledFlag]
"""Makes a flag of its default, None for a disabled one."""


def compile_schedule(flag: Flag, standing: Standing, serving: Serving) -> CompiledFlag:
    """Compile every phase of the flag by what makes a flag as it stands, and what makes its default."""
    found = phases(flag)
    compiled = tuple(_compiled(phase, standing, serving) for phase in found)
    begins = tuple(phase.begins for phase in found[1:])
    over_time = OverTime(begins, compiled, lambda now: _told(flag, found, now))
    return CompiledFlag(flag, compiled[0].invalid, (), "schedule", _by_the_clock(begins, compiled), over_time)


def _by_the_clock(begins: tuple[float, ...], compiled: tuple[CompiledFlag, ...]) -> LastStep:
    in_order = tuple(([step for _, step in phase.steps], phase.last) for phase in compiled)

    def last(context: Context, now: float, state: State) -> Decision:
        steps, default = in_order[bisect_right(begins, now)]
        for step in steps:
            decision = step(context, now, state)
            if decision is not None:
                return decision
        return default(context, now, state)

    return last


def _compiled(phase: Phase, standing: Standing, serving: Serving) -> CompiledFlag:
    enabled, default = phase.standing
    if not enabled:
        return standing(None)
    return standing(serving(default) if phase.line is None else _ramp(phase, phase.line, serving))


def _ramp(phase: Phase, line: Line, serving: Serving) -> LastStep:
    @lru_cache(maxsize=2)
    def at_weight(weight: int) -> LastStep:
        return serving(phase.given(weight).default)

    weight_at = line.weight

    def last(context: Context, now: float, state: State) -> Decision:
        return at_weight(weight_at(now))(context, now, state)

    return last


def _told(flag: Flag, found: Sequence[Phase], now: float) -> str:
    phase = phase_at(found, now)
    if phase.entry is None:
        return "schedule: nothing has begun"
    entry, weight = flag.schedule[phase.entry], phase.weight(now)
    told = f"schedule {phase.entry}: {entry.told()} since {entry.at.isoformat()}"
    return told if weight is None else f"{told}, {weight * 100 / BUCKETS:g} % now"
