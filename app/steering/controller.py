"""The loop that steers: one process leads, looks at every active rollout each second, and moves what is due."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from app.clock import Clock
from app.errors import Code, ProblemError
from app.refresh import Live
from app.steering.facts import BreakerWatch, facts_of
from app.steering.judging import Judging
from app.steering.leading import Leading
from app.steering.moving import Mover
from app.steering.recording import Chronicle
from rollouts.advance import advance
from rollouts.evidence import Evidence
from rollouts.model import Rollout, RolloutState
from rollouts.moves import Move, MoveKind

log = structlog.get_logger("crossfade.steering")

LOOK_S = 1.0
"""How often facts are looked at; evidence is judged every `interval_s` of the plan."""

HELD_LONG = timedelta(hours=1)
"""After how long a hold is told of, once."""

HARMLESS = frozenset({MoveKind.ROLL_BACK, MoveKind.PAUSE})
"""Moves that any process may make while none can lead: they raise nothing, and of two of them one is written."""


class Controller:
    """Steers in the process that leads; in the others it watches breakers, so as to know when it has to lead."""

    def __init__(
        self,
        live: Live,
        leading: Leading,
        breakers: BreakerWatch,
        judging: Judging,
        mover: Mover,
        chronicle: Chronicle,
        clock: Clock,
    ) -> None:
        self._live = live
        self._leading = leading
        self._breakers = breakers
        self._judging = judging
        self._mover = mover
        self._chronicle = chronicle
        self._clock = clock
        self._held: set[str] = set()
        self._unmoved: dict[str, Code] = {}
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Look every second until cancelled, and renew the lease beside it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._leading.run())
            group.create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            try:
                await self.look()
            except Exception:
                # whatever it was: rollouts that nobody looks at any more would never go back
                log.exception("looking at the rollouts failed, and goes on")
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look at every active rollout once, as far as it is this process that has to."""
        async with self._one_at_a_time:
            active = [*self._live.state.steered.values()]
            self._breakers.look(active)
            leads = bool(active) and (self._leading.is_leader or await self._leading.renew())
            steered = active if leads else []
            for rollout in steered:
                await self._look_at(rollout)
            self._judging.keep_only(steered)
            self._chronicle.keep_only(steered)
            self._held.intersection_update(rollout.id for rollout in active)
            if not active:
                await self._leading.let_go()
            elif self._leading.is_away and not leads:
                await self._go_by_facts(active)

    async def _look_at(self, rollout: Rollout) -> None:
        try:
            await self._steer(rollout)
        except Exception:
            # whatever it was: one rollout that fails holds up no other, and stays where it is
            log.exception("a rollout could not be steered", rollout=rollout.id)
            self._judging.count_error(rollout)

    async def _steer(self, rollout: Rollout) -> None:
        facts = facts_of(self._live.state, rollout, self._clock.now(), self._breakers.open_s(rollout))
        evidence = await self._judging.evidence(rollout, facts)
        move = advance(rollout, evidence, self._clock.now())
        if not self._leading.is_leader and move.kind not in HARMLESS:
            return
        is_made = await self._made(rollout, move, evidence)
        if not is_made or move.kind is MoveKind.ADOPT:
            self._judging.judge_again(rollout)
        if is_made:
            await self._chronicle.note(rollout, evidence, move)
            self._tell_of_long_hold(rollout)

    async def _go_by_facts(self, active: Sequence[Rollout]) -> None:
        """Do what needs no statistics while nobody can lead, since the database that says who does is away."""
        for rollout in active:
            evidence = Evidence(facts_of(self._live.state, rollout, self._clock.now(), self._breakers.open_s(rollout)))
            move = advance(rollout, evidence, self._clock.now())
            if move.kind in HARMLESS:
                await self._made(rollout, move, evidence)

    async def _made(self, rollout: Rollout, move: Move, evidence: Evidence) -> bool:
        """Make a move; false when it could not be, and is decided anew at the next look."""
        try:
            is_made = await self._mover.make(rollout, move, evidence.facts.flag_version)
        except ProblemError as problem:
            if self._unmoved.get(rollout.id) != problem.code:
                log.warning("a rollout does not move", rollout=rollout.id, move=move.kind, why=problem.detail)
            self._unmoved[rollout.id] = problem.code
            return False
        self._unmoved.pop(rollout.id, None)
        return is_made

    def _tell_of_long_hold(self, rollout: Rollout) -> None:
        is_held = rollout.state is RolloutState.HOLDING and self._clock.now() - rollout.state_since >= HELD_LONG
        if not is_held:
            self._held.discard(rollout.id)
        elif rollout.id not in self._held:
            self._held.add(rollout.id)
            self._mover.tell_of_hold(rollout)
