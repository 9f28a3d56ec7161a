"""The one question: what does this caller get?

Order: kill, enabled, prerequisites, targets, rules, default. Total: an unknown flag, a disabled one and a bad
context are reasons, never exceptions.
"""

from collections.abc import Iterator
from typing import NamedTuple

from .compiled import State
from .context import Context
from .decision import Decision
from .names import Reason


class TraceStep(NamedTuple):
    """One step of an evaluation, and whether it decided."""

    step: str
    decided: bool


def evaluate(state: State, flag_key: str, context: Context, now: float) -> Decision:
    """Decide what the caller described by `context` gets; `now` is seconds since 1970, UTC."""
    compiled = state.flags.get(flag_key)
    if compiled is None:
        return Decision(flag_key, "", None, Reason.FLAG_NOT_FOUND, None, None, 0)
    if type(context) is not dict:
        return compiled.at(now).invalid
    for _, step in compiled.steps:
        decision = step(context, now, state)
        if decision is not None:
            return decision
    return compiled.last(context, now, state)


def trace(state: State, flag_key: str, context: Context, now: float) -> tuple[TraceStep, ...]:
    """Return the steps `evaluate` takes for this caller, in order; the last one decided."""
    return tuple(_walk(state, flag_key, context, now))


def _walk(state: State, flag_key: str, context: Context, now: float) -> Iterator[TraceStep]:
    compiled = state.flags.get(flag_key)
    if compiled is None:
        yield TraceStep("known", decided=True)
        return
    if compiled.over_time is not None:
        yield TraceStep(compiled.over_time.told(now), decided=False)
        compiled = compiled.over_time.at(now)
    if type(context) is not dict:
        judged = compiled.invalid.reason is Reason.INVALID_CONTEXT
        yield TraceStep("context" if judged else compiled.last_name, decided=True)
        return
    for name, step in compiled.steps:
        yield TraceStep(name, decided=(decided := step(context, now, state) is not None))
        if decided:
            return
    yield TraceStep(compiled.last_name, decided=True)
