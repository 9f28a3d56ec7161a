"""Notes which variants of flags are given, and keeps when that was last in SQL, for all processes."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

from app.carrier import Carrier
from app.clock import Clock
from app.refresh import Live
from app.stores.evaluated import Evaluated, LastEvaluated

EVERY_S = 60.0
"""How often, give or take a fifth by chance: times are late by that much, and a crash loses as much."""


class Seen(Carrier):
    """What this process has given since it was last kept; what SQL does not take waits for it.

    There is never more of it than there are variants of flags.
    """

    def __init__(self, live: Live, kept: Evaluated, clock: Clock, chance: Callable[[], float]) -> None:
        super().__init__("evaluations", EVERY_S, chance)
        self._live = live
        self._kept = kept
        self._clock = clock
        self._given: defaultdict[str, dict[str, bool]] = defaultdict(dict)
        self._waiting: dict[tuple[str, str], int] = {}
        self._turn = asyncio.Lock()
        self._has_begun = False

    def note(self, flag: str, variant: str) -> None:
        """Note that a variant is given now; the flag has to be one that there is."""
        # no clock is asked here, on the hot path: it is given its time when it is kept
        self._given[flag][variant] = True

    def note_at(self, evaluations: Iterable[LastEvaluated]) -> None:
        """Note what others have given, and when."""
        for flag, variant, at in evaluations:
            place = flag, variant
            self._waiting[place] = max(at, self._waiting.get(place, at))

    async def settle(self) -> None:
        """Keep everything. Raises StoreUnavailableError, and nothing is lost then."""
        async with self._turn:
            now = int(self._clock.wall())
            self._gather(now)
            if not self._has_begun:
                await self._kept.note_evaluations_since(now)
                self._has_begun = True
            taken = dict(self._waiting)
            await self._kept.add_evaluated([LastEvaluated(*place, at) for place, at in taken.items()])
            self._waiting = {place: at for place, at in self._waiting.items() if taken.get(place) != at}

    def _gather(self, now: int) -> None:
        """Let what was given wait with its time, and nothing of flags that are gone."""
        given, self._given = self._given, defaultdict(dict)
        self.note_at(LastEvaluated(flag, variant, now) for flag, variants in given.items() for variant in variants)
        living = self._live.state.ruleset.living
        self._waiting = {place: at for place, at in self._waiting.items() if place[0] in living}
