"""What people tell a rollout: an order, its answer, and how a refusal is told."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from app.errors import Code, ProblemError
from app.refresh import State
from app.steering.facts import facts_of, ground_of
from app.steering.moving import Made, making
from rollouts import commands
from rollouts.commands import Answer
from rollouts.evidence import Facts
from rollouts.model import Rollout
from rollouts.refusals import Refusal, Refused


class Command(StrEnum):
    """What a rollout can be told."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    ADVANCE = "advance"
    APPROVE = "approve"
    STEP_BACK = "step-back"
    ROLL_BACK = "rollback"
    ABORT = "abort"


class Order(NamedTuple):
    """A command by somebody; `expected` is the rollout's version it stands on, `to` the step wanted, None for any."""

    command: Command
    by: commands.Order
    expected: int | None = None
    to: int | None = None


CODES: Mapping[Refusal, Code] = {
    Refusal.ENDED: Code.ROLLOUT_OVER,
    Refusal.COOLING_DOWN: Code.COOLING_DOWN,
    Refusal.KILLED: Code.KILLED,
}
"""Refusals with a code of their own; all others are conflicts with the state in force."""

PLAIN: Mapping[Command, Callable[[Rollout, commands.Order], Answer]] = {
    Command.PAUSE: commands.pause,
    Command.APPROVE: commands.approve,
    Command.ROLL_BACK: commands.roll_back,
    Command.ABORT: commands.abort,
}
STEPPING: Mapping[Command, Callable[[Rollout, commands.Order, Facts, int | None], Answer]] = {
    Command.ADVANCE: commands.advance,
    Command.STEP_BACK: commands.step_back,
}


def obeyed(state: State, rollout: Rollout, order: Order, now: datetime) -> Made:
    """Return what an order makes of a rollout in a state. Raises ProblemError 409 and 412."""
    if order.expected is not None and order.expected != rollout.version:
        told = f"the rollout is at version {rollout.version} by now; look at it again and repeat the order"
        raise ProblemError(412, Code.STALE_VERSION, told, version=rollout.version)
    answer = _answer(state, rollout, order, now)
    if isinstance(answer, Refused):
        raise refusal(answer)
    return making(state, rollout, answer, now)


def refusal(refused: Refused) -> ProblemError:
    """Return the problem for a refused order; its member `reason` is stable."""
    code = CODES.get(refused.reason, Code.ROLLOUT_CONFLICT)
    return ProblemError(409, code, refused.told, reason=refused.reason)


def _answer(state: State, rollout: Rollout, order: Order, now: datetime) -> Answer:
    if order.command is Command.START:
        return commands.start(rollout, order.by, ground_of(state, rollout, now))
    if order.command is Command.RESUME:
        return commands.resume(rollout, order.by, facts_of(state, rollout, now))
    if order.command in STEPPING:
        return STEPPING[order.command](rollout, order.by, facts_of(state, rollout, now), order.to)
    return PLAIN[order.command](rollout, order.by)
