"""What was judged when: evaluations that are kept, and the notice of a hold that lasts."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, Protocol

import structlog

from app.clock import Clock
from app.steering.telling import evaluation_of
from app.stores.records import StoreUnavailableError
from rollouts.evidence import Evidence
from rollouts.model import Rollout
from rollouts.moves import Move, MoveKind

log = structlog.get_logger("crossfade.steering")

AT_LEAST_EACH = 10
"""Of so many evaluations that say the same, one is kept."""

PRUNE_EACH = 500
"""After so many kept evaluations of one rollout, those beyond the last 10,000 are forgotten."""


class Evaluations(Protocol):
    """A database that keeps evaluations."""

    async def add_evaluation(self, rollout: str, at: datetime, body: str) -> int:
        """Keep one, and return its number. Raises StoreUnavailableError."""

    async def prune_evaluations(self, rollout: str, limit: int) -> int:
        """Forget the oldest of too many. Raises StoreUnavailableError."""


class _Said(NamedTuple):
    """What makes two evaluations say the same."""

    state: str
    move: str
    why: str
    verdicts: tuple[tuple[str, str], ...]


class Chronicle:
    """Keeps evaluations: each that says something new, and some of the others."""

    def __init__(self, kept: Evaluations, clock: Clock) -> None:
        self._kept = kept
        self._clock = clock
        self._said: dict[str, tuple[_Said, int]] = {}
        self._written = 0

    async def note(self, rollout: Rollout, evidence: Evidence, move: Move) -> None:
        """Keep what was found of a rollout, and what was done about it; what cannot be kept is logged and forgotten."""
        if not evidence.is_fresh and move.kind is MoveKind.HOLD:
            return
        verdicts = tuple((name, each.verdict.value) for name, each in evidence.judgements.items())
        said = _Said(rollout.state, move.kind, move.why, verdicts)
        before, silent = self._said.get(rollout.id, (None, 0))
        if said == before and silent + 1 < AT_LEAST_EACH:
            self._said[rollout.id] = said, silent + 1
            return
        evaluation = evaluation_of(rollout, evidence, move, self._clock.now())
        try:
            await self._kept.add_evaluation(rollout.id, evaluation.at, evaluation.model_dump_json())
            await self._prune(rollout.id)
        except StoreUnavailableError as error:
            log.warning("an evaluation is not kept", rollout=rollout.id, why=str(error))
        else:
            self._said[rollout.id] = said, 0

    def keep_only(self, rollouts: Iterable[Rollout]) -> None:
        """Forget what was said of every other rollout."""
        wanted = {rollout.id for rollout in rollouts}
        self._said = {each: said for each, said in self._said.items() if each in wanted}

    async def _prune(self, rollout: str) -> None:
        self._written += 1
        if self._written % PRUNE_EACH == 0:
            await self._kept.prune_evaluations(rollout, PRUNE_EACH)
