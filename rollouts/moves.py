"""A move of a rollout, what it makes of the document, and what it makes of the flag's weight."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from rollouts.model import FINAL, MOST_STAGES, Rollout, RolloutState, Stage

LONGEST_WHY = 2000


class MoveKind(StrEnum):
    """What a move is; from START on, only a person makes them."""

    HOLD = "hold"
    ADVANCE = "advance"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    PAUSE = "pause"
    WAIT_APPROVAL = "wait_approval"
    BAKE = "bake"
    COMPLETE = "complete"
    ADOPT = "adopt"
    START = "start"
    RESUME = "resume"
    APPROVE = "approve"
    STEP_BACK = "step_back"
    ABORT = "abort"


WEIGHING = frozenset({MoveKind.ADVANCE, MoveKind.PROMOTE, MoveKind.START, MoveKind.STEP_BACK})
"""Moves that give the flag the weight of their step."""


class Sides(NamedTuple):
    """What a start resolves: the new side, the control, and the attribute that the flag hashes."""

    variant: str
    control: str
    unit: str


class Move(NamedTuple):
    """What happens to a rollout: the step and the state after it, and why, in a sentence.

    `failing` are the gates whose failure made it, `overrules` those whose failure a person accepts by it. `in_force` is
    the random share that is taken as it was found. A `dry` move is recorded and changes nothing.
    """

    kind: MoveKind
    step: int
    state: RolloutState
    why: str
    failing: tuple[str, ...] = ()
    overrules: tuple[str, ...] = ()
    in_force: int | None = None
    sides: Sides | None = None
    dry: bool = False

    def weight(self, rollout: Rollout) -> int | None:
        """Return the random share that the flag shall have after it, in hundred-thousandths; None leaves the flag."""
        if self.dry or rollout.plan.dry_run:
            return None
        if self.kind is MoveKind.ROLL_BACK:
            return 0
        return rollout.plan.weight_at(self.step) if self.kind in WEIGHING else None

    def is_nothing_new_to(self, rollout: Rollout) -> bool:
        """Whether the document stays as it is: of a hold that goes on only another reason is worth a write."""
        if self.dry:
            return True
        told_already = self.state is not RolloutState.HOLDING or self.why == rollout.why
        return self.kind is MoveKind.HOLD and self.state is rollout.state and told_already


def stay(rollout: Rollout, why: str = "") -> Move:
    """Return the move that leaves the document as it is."""
    return Move(MoveKind.HOLD, rollout.step, rollout.state, why or rollout.why, rollout.failing)


def moved(rollout: Rollout, move: Move, now: datetime, flag_version: int | None) -> Rollout:
    """Return the document after the move: the very same when nothing changes.

    `flag_version` is the version that the flag will have when it is written with the move, else the one in force, 0 of
    a flag that is gone; None when it could not be written along, so that a rollback has begun and is not done.
    """
    state = RolloutState.ROLLING_BACK if _is_half_done(move, flag_version) else move.state
    if move.is_nothing_new_to(rollout) or state is rollout.state is RolloutState.ROLLING_BACK:
        return rollout
    changes: dict[str, object] = {
        "state": state,
        "why": rollout.why if move.kind is MoveKind.ADOPT else move.why[:LONGEST_WHY],
        "failing": move.failing,
        "overruled": tuple(sorted({*rollout.overruled, *move.overrules})),
        "state_since": rollout.state_since if state is rollout.state else now,
        "ended_at": now if state in FINAL else None,
        **_of_its_kind(rollout, move, now, flag_version),
    }
    return rollout.model_copy(update=changes)


def _is_half_done(move: Move, flag_version: int | None) -> bool:
    return move.kind is MoveKind.ROLL_BACK and flag_version is None


def _of_its_kind(rollout: Rollout, move: Move, now: datetime, flag_version: int | None) -> dict[str, object]:
    changes: dict[str, object] = {}
    match move.kind:
        case MoveKind.START:
            sides = move.sides._asdict() if move.sides is not None else {}
            changes = {"started_at": now, **sides, **_new_step(rollout, move, now, flag_version)}
        case MoveKind.ADVANCE | MoveKind.PROMOTE | MoveKind.STEP_BACK:
            changes = _new_step(rollout, move, now, flag_version)
        case MoveKind.RESUME | MoveKind.ADOPT if move.step != rollout.step:
            changes = _new_step(rollout, move, now, flag_version)
        case MoveKind.RESUME:
            changes = {"patient_since": now, **_adopted(rollout, move, flag_version)}
        case MoveKind.ADOPT:
            changes = _adopted(rollout, move, flag_version)
        case MoveKind.BAKE:
            changes = {"baking_since": now}
        case MoveKind.APPROVE:
            changes = {"approved": True}
        case MoveKind.ROLL_BACK:
            changes = {"cool_until": now + timedelta(seconds=rollout.plan.cooldown_s)}
    return changes


def _new_step(rollout: Rollout, move: Move, now: datetime, flag_version: int | None) -> dict[str, object]:
    weight = move.weight(rollout) if move.in_force is None else move.in_force
    return {
        "step": move.step,
        "step_since": now,
        "patient_since": now,
        "baking_since": None,
        "approved": False,
        "stages": _with_stage(rollout, flag_version, move.step, weight, now),
    }


def _adopted(rollout: Rollout, move: Move, flag_version: int | None) -> dict[str, object]:
    """Let a version of somebody else's stand for the step, which began when it began."""
    last = rollout.stages[-1] if rollout.stages else None
    if last is None or flag_version == last.flag_version:
        return {}
    weight = last.weight if move.in_force is None else move.in_force
    return {"stages": _with_stage(rollout, flag_version, move.step, weight, last.began_at)}


def _with_stage(
    rollout: Rollout, flag_version: int | None, step: int, weight: int | None, began_at: datetime
) -> tuple[Stage, ...]:
    if flag_version is None or weight is None:
        return rollout.stages
    stage = Stage(flag_version=flag_version, step=step, weight=weight, began_at=began_at)
    return (*rollout.stages, stage)[-MOST_STAGES:]
