"""A move, written: the rollout and its flag together or neither, audited, counted and told."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import JsonValue

from app.changes import By, Changes, Wanted
from app.clock import Clock
from app.errors import ProblemError
from app.metrics import Metrics
from app.notices.model import NoticeKind
from app.refresh import Live, State
from app.steering.facts import flag_in_force
from app.stores.records import Collection
from rollouts.model import Rollout
from rollouts.moves import Move, MoveKind, moved
from rollouts.starting import flag_after

Notify = Callable[[NoticeKind, Mapping[str, JsonValue]], None]
"""Sends a notice of a kind with its facts; it never waits, and never raises."""

CONFLICT = 409

PER_PERCENT = 1000
"""Hundred-thousandths in a percent."""

NOTICES: Mapping[MoveKind, NoticeKind] = {
    MoveKind.ADVANCE: NoticeKind.ADVANCED,
    MoveKind.PROMOTE: NoticeKind.ADVANCED,
    MoveKind.ROLL_BACK: NoticeKind.ROLLED_BACK,
    MoveKind.PAUSE: NoticeKind.PAUSED,
    MoveKind.WAIT_APPROVAL: NoticeKind.APPROVAL_WANTED,
    MoveKind.COMPLETE: NoticeKind.COMPLETED,
}
"""The moves that a notice tells of, and its kind."""


class Made(NamedTuple):
    """What a move wants written, and what it is."""

    rollout: Rollout
    move: Move
    wanted: Sequence[Wanted]


def making(state: State, rollout: Rollout, move: Move, now: datetime) -> Made:
    """Return what a move wants written in a state: the rollout, the flag if it is touched, nothing if nothing moves."""
    flag = flag_in_force(state, rollout, now)
    touched = None if flag is None else flag_after(flag, rollout, move)
    version = 0 if flag is None else flag.version + (touched is not None)
    document = moved(rollout, move, now, version)
    wanted = [Wanted(Collection.ROLLOUT, rollout.id, document, rollout.version)]
    if flag is not None and touched is not None:
        wanted.append(Wanted(Collection.FLAG, flag.key, touched, flag.version))
    return Made(rollout, move, [] if document is rollout else wanted)


class Mover:
    """Writes moves."""

    def __init__(self, live: Live, changes: Changes, metrics: Metrics, clock: Clock, notify: Notify) -> None:
        self._live = live
        self._changes = changes
        self._metrics = metrics
        self._clock = clock
        self._notify = notify

    async def make(self, rollout: Rollout, move: Move, flag_version: int) -> bool:
        """Write a move that was decided on these versions; false, and nothing written, when they are old by now.

        A rollback that the flag does not let happen yet is begun: it is tried again until it does. Raises ProblemError.
        """
        is_as_judged = False

        def decide(state: State) -> Made | None:
            nonlocal is_as_judged
            current, flag = state.rollouts.get(rollout.id), state.ruleset.document(rollout.plan.flag)
            found = (current.version if current else 0, flag.version if flag else 0)
            is_as_judged = found == (rollout.version, flag_version)
            return making(state, rollout, move, self._clock.now()) if is_as_judged else None

        by = By(f"rollout:{rollout.id}", move.why[:2000])
        try:
            await self._write(decide, by)
        except ProblemError as problem:
            if problem.status == CONFLICT and move.kind is MoveKind.ROLL_BACK:
                await self._begin(rollout, move, by)
            raise
        return is_as_judged

    async def _begin(self, rollout: Rollout, move: Move, by: By) -> None:
        """Write that a rollback has begun: what it was for may be gone when the flag can be written."""
        begun = moved(rollout, move, self._clock.now(), None)
        if begun is not rollout:
            await self._changes.make([Wanted(Collection.ROLLOUT, rollout.id, begun, rollout.version)], by)

    async def obey(self, decide: Callable[[State], Made], by: By) -> bool:
        """Write what an order makes of the state in force; false when it changes nothing. Raises ProblemError."""
        return await self._write(decide, by)

    def rehearse(self, decide: Callable[[State], Made], by: By) -> Made:
        """Return what an order would write, and write nothing. Raises ProblemError as the order would."""
        self._changes.rehearse(lambda state: decide(state).wanted, by)
        return decide(self._live.state)

    async def _write(self, decide: Callable[[State], Made | None], by: By) -> bool:
        made: Made | None = None

        def wanted(state: State) -> Sequence[Wanted]:
            nonlocal made
            made = decide(state)
            return made.wanted if made else []

        written = await self._changes.decide_and_make(wanted, by)
        if not written or made is None:
            return False
        self._metrics.count_move(made.rollout.id, made.move.kind)
        if made.move.kind in NOTICES:
            weight = made.move.weight(made.rollout)
            percentage = made.rollout.current.percentage if weight is None else weight / PER_PERCENT
            self._tell(NOTICES[made.move.kind], made.rollout, percentage, made.move.why, by.actor)
        return True

    def tell_of_hold(self, rollout: Rollout) -> None:
        """Send the notice that a rollout has been held for long."""
        self._tell(NoticeKind.HOLDING, rollout, rollout.current.percentage, rollout.why, f"rollout:{rollout.id}")

    def _tell(self, kind: NoticeKind, rollout: Rollout, percentage: float, why: str, actor: str) -> None:
        self._notify(
            kind,
            {
                "rollout": rollout.id,
                "flag": rollout.plan.flag,
                "route": rollout.plan.route,
                "percentage": percentage,
                "why": why,
                "actor": actor,
                "at": self._clock.now().isoformat(),
            },
        )
