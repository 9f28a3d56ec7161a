"""Looks every few hours which flags got stale, and tells it once; forgets what was noted of flags that are gone."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import JsonValue

from app.clock import Clock
from app.housekeeping.listing import Ground, StaleFlag, stale_flags
from app.refresh import Live
from app.rounds import rounds
from app.stores.evaluated import NOBODY, Evaluated
from app.stores.records import Store
from flags.stale import DAYS

EVERY_S = 6 * 3600.0
"""How often is looked, and up to as long again by chance, so that processes take turns."""

DAY_S = 86_400
"""A flag that is not stale any more is told again only after a day, and one that is gone is forgotten after one."""

MOST_NOTICES = 10
"""Flags that have a notice each; more that got stale meanwhile are told in one."""

Tell = Callable[[Mapping[str, JsonValue]], None]


class Kept(NamedTuple):
    """Where the past of flags is kept."""

    store: Store
    evaluated: Evaluated


class StaleWatch:
    """Looks as long as the service runs; of several processes one tells of a flag."""

    def __init__(self, live: Live, kept: Kept, tell: Tell | None, clock: Clock, chance: Callable[[], float]) -> None:
        """Take what is in force, and how to tell of a flag; None: nobody is told."""
        self._live = live
        self._kept = kept
        self._tell = tell
        self._clock = clock
        self._chance = chance

    async def run(self) -> None:
        """Look until cancelled."""
        await rounds(self.look, "looking for stale flags", EVERY_S, self._chance)

    async def look(self) -> None:
        """Tell of flags that got stale, and forget those that are gone. Raises StoreUnavailableError."""
        if not self._live.is_known:
            return
        now = self._clock.now()
        await self._forget_gone(now)
        if self._tell is not None:
            await self._tell_stale(self._tell, now)

    async def _tell_stale(self, tell: Tell, now: datetime) -> None:
        ground = Ground(self._live.state, self._kept.store, self._kept.evaluated)
        stale = {each.flag.key: each async for each in stale_flags(ground, now, DAYS)}
        told, at = await self._kept.evaluated.told_stale(), int(now.timestamp())
        fresh = [key for key in stale if key not in told and await self._kept.evaluated.claim_stale(key, at)]
        over = [key for key, since in told.items() if key not in stale and since < at - DAY_S]
        for key in over:
            await self._kept.evaluated.forget_stale(key)
        facts = [_facts_of(stale[key]) for key in fresh]
        for each in facts if len(facts) <= MOST_NOTICES else [_together(facts)]:
            tell(each)

    async def _forget_gone(self, now: datetime) -> None:
        living, before = self._live.state.ruleset.living, now.timestamp() - DAY_S
        rows = await self._kept.evaluated.evaluated()
        gone = {each.flag for each in rows if each.flag not in living and each.at < before} - {NOBODY[0]}
        for key in gone:
            await self._kept.evaluated.forget_evaluated(key)


def _facts_of(stale: StaleFlag) -> Mapping[str, JsonValue]:
    flag, last = stale.flag, stale.life.last_evaluated
    return {
        "flag": flag.key,
        "what": ", ".join(stale.reasons),
        "reasons": [*stale.reasons],
        "owner": flag.owner,
        "last_evaluated": None if last is None else last.isoformat(),
    }


def _together(facts: Sequence[Mapping[str, JsonValue]]) -> Mapping[str, JsonValue]:
    named: list[JsonValue] = [f"flag {each['flag']} ({each['what']})" for each in facts]
    some = ", ".join(map(str, named[:MOST_NOTICES]))
    return {"count": len(facts), "flags": named, "what": f"{some} and {len(facts) - MOST_NOTICES} more"}
