"""Brings together what is known of kills: the journal tells what Redis cannot, and Redis is told what it has missed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

import structlog
from pydantic import ValidationError

from app.overlay import change_of
from app.refresh import Live
from app.stores.records import Change, Entry, StaleError, StoreUnavailableError
from flags.kills import Kill

log = structlog.get_logger("crossfade.kills")

READ_S = 0.5
"""How often the journal is asked for kills: it is the only way to a process that Redis does not reach."""

REPAY_S = 1.0
"""The longest wait before Redis is told what it has missed; chance shortens it, so that one process does it for all."""


class Shared(Protocol):
    """A store with a live state and a journal."""

    async def kill_lines(self, seen: AbstractSet[int]) -> Sequence[Entry]:
        """Return the lines of the journal about kills, in order, but for those seen already."""

    async def write(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Apply all changes or none."""


class KillSync:
    """Reads the journal's kills and repays the live state; `catch_up` and `settle` are the follower's."""

    def __init__(
        self,
        store: Shared,
        live: Live,
        catch_up: Callable[[], Awaitable[None]],
        settle: Callable[[Sequence[Entry]], Awaitable[None]],
        chance: Callable[[], float],
    ) -> None:
        self._store = store
        self._live = live
        self._catch_up = catch_up
        self._settle = settle
        self._chance = chance
        self._seen: set[int] = set()
        self._is_away = False

    async def read(self) -> None:
        """Put in force what the journal knows of kills; when it is away, what is in force goes on."""
        try:
            lines = await self._store.kill_lines(self._seen)
            self._live.lay(self._live.state.overlay.told(lines))
        except (StoreUnavailableError, ValidationError) as error:
            if not self._is_away:
                log.warning("the journal's kills cannot be read, those in force go on", why=str(error))
            self._is_away = True
        else:
            self._seen.update(line.seq for line in lines)
            self._is_away = False

    async def repay(self) -> None:
        """Tell the live state what it lacks of what is known. Raises StoreUnavailableError."""
        if any(self._live.state.overlay.owed()):
            await self._catch_up()
            for kill in [*self._live.state.overlay.owed()]:
                await self._tell(kill)

    async def run(self) -> None:
        """Read and repay until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_for_ever())
            group.create_task(self._repay_for_ever())

    async def _read_for_ever(self) -> None:
        while True:
            await asyncio.sleep(READ_S)
            await self.read()

    async def _repay_for_ever(self) -> None:
        while True:
            await asyncio.sleep(REPAY_S * (0.2 + 0.8 * self._chance()))
            try:
                await self.repay()
            except StoreUnavailableError as error:
                log.debug("the live state is not told of kills yet", why=str(error))

    async def _tell(self, kill: Kill) -> None:
        there = self._live.state.overlay.kept.get(kill.id)
        try:
            entries = await self._store.write([change_of(kill, there.version if there else 0)])
        except StaleError as error:
            # somebody else was faster, or the live state is older than it was
            overlay = self._live.state.overlay
            if overlay.kept.get(kill.id) == there:
                self._live.lay(overlay.kept_at(kill.id, error.actual))
            return
        log.warning("the live state had missed a kill or its release", id=kill.id)
        await self._settle(entries)
