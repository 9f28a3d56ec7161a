"""Forgets outcomes and measures that have been kept for long enough, and what was kept of rollouts, in steps."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from app.clock import Clock
from app.refresh import Live
from app.rounds import rounds
from app.settings import Settings
from app.stores.aftermath import Aftermath
from app.stores.measures import MEASURES_KEPT_S
from rollouts.model import FINAL

AT_ONCE = 2000
"""Outcomes of one step, which holds writers up for milliseconds."""

EVERY_S = 60.0
"""How often is looked whether there are any, up to as long again by chance."""

BETWEEN_STEPS_S = 0.1


class Retention:
    """Prunes as long as the service runs; of several processes one at a time does."""

    def __init__(
        self, kept: Aftermath, live: Live, settings: Settings, clock: Clock, chance: Callable[[], float]
    ) -> None:
        self._kept_in = kept
        self._live = live
        self._kept = timedelta(days=settings.outcome_retention_days)
        self._clock = clock
        self._chance = chance

    async def run(self) -> None:
        """Prune until cancelled."""
        await rounds(self.prune, "pruning outcomes", EVERY_S, self._chance)

    async def prune(self) -> int:
        """Forget what is over, step by step, and return how many that were. Raises StoreUnavailableError."""
        before, rollouts = self._clock.now() - self._kept, self._live.state.rollouts.values()
        ended = [rollout.id for rollout in rollouts if rollout.state in FINAL]
        pruned = await _in_steps(lambda: self._kept_in.prune(before, AT_ONCE))
        over = int(self._clock.wall()) - MEASURES_KEPT_S
        pruned += await _in_steps(lambda: self._kept_in.prune_measures(over, AT_ONCE))
        pruned += await _in_steps(lambda: self._kept_in.prune_first_events(ended, AT_ONCE))
        for rollout in [each.id for each in rollouts if each.is_active]:
            pruned += await _in_steps(partial(self._kept_in.prune_evaluations, rollout, AT_ONCE))
        return pruned


async def _in_steps(prune: Callable[[], Awaitable[int]]) -> int:
    pruned = 0
    while step := await prune():
        pruned += step
        await asyncio.sleep(BETWEEN_STEPS_S)
    return pruned
