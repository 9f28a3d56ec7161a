"""Keeps the state in force fresh when other processes change it too."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from app.refresh import Live
from app.standing import Standing
from app.stores.records import Entry, Snapshot, StoreUnavailableError

log = structlog.get_logger("crossfade.follow")

AGAIN_S = 1.0
"""The longest wait before a lost connection is tried again; chance shortens it, so that not all come at once."""


class Followed(Protocol):
    """A store that others write too."""

    async def load(self) -> Snapshot:
        """Return the whole state."""

    async def since(self, epoch: str, revision: int) -> Sequence[Entry] | None:
        """Return what came after a revision, in order; None when only loading the whole state tells."""

    def rings(self) -> AsyncIterator[None]:
        """Ring once when listening begins, and then at every change."""

    async def carry(self, epoch: str) -> None:
        """Bring to the journal what it misses."""


class Follower:
    """Catches up whenever the store rings, and every `poll_s` in case a ring was lost."""

    def __init__(
        self, store: Followed, live: Live, standing: Standing, chance: Callable[[], float], poll_s: float = 1.0
    ) -> None:
        self._store = store
        self._live = live
        self._standing = standing
        self._chance = chance
        self._poll_s = poll_s
        self._told: set[str] = set()
        self._one_at_a_time = asyncio.Lock()

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Put own changes in force, after those of others that came before them.

        They are acknowledged already: when the store is away just now, they come in force when it is back.
        """
        if not self._live.continue_with(entries):
            with contextlib.suppress(StoreUnavailableError):
                await self.catch_up()

    async def catch_up(self) -> None:
        """Put in force what the store has by now. Raises StoreUnavailableError."""
        async with self._one_at_a_time:
            try:
                await self._catch_up()
            except Exception:
                # whatever it was: what the store has is not in force
                self._standing.out_of_contact()
                raise
            if self._told:
                log.info("store is back", away_s=round(self._standing.age_s, 1))
                self._told.clear()
            self._standing.in_contact()

    async def _catch_up(self) -> None:
        ruleset = self._live.state.ruleset
        entries = await self._store.since(ruleset.epoch, ruleset.revision) if self._live.is_known else None
        if entries is None:
            self._live.load(await self._store.load())
        elif entries:
            self._live.continue_with(entries)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._for_ever(self._listen, self._told))
            group.create_task(self._for_ever(self._poll, self._told))
            group.create_task(self._for_ever(self._carry, set()))

    async def _for_ever(self, follow: Callable[[], Awaitable[None]], told: set[str]) -> None:
        """Follow again and again; why the store is away is told once, until it is `told` no longer."""
        while True:
            try:
                await follow()
                told.clear()
            except StoreUnavailableError as error:
                if str(error) not in told:
                    log.warning("store is away, the state in force goes on", why=str(error))
                told.add(str(error))
            except Exception:
                # whatever it was: a process that no longer follows would decide from old state for ever
                log.exception("following failed, and goes on")
            await asyncio.sleep(AGAIN_S * (0.2 + 0.8 * self._chance()))

    async def _listen(self) -> None:
        async for _ in self._store.rings():
            await self.catch_up()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            await self.catch_up()

    async def _carry(self) -> None:
        await self._store.carry(self._live.state.ruleset.epoch)
