"""Which process steers: the one that holds the lease, for as long as it knows that nobody else can."""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

import structlog

from app.metrics import Metrics
from app.stores.records import StoreUnavailableError

log = structlog.get_logger("crossfade.steering")

LEASE = "steering"

FOR_S = 6.0
"""For how long the lease is taken; whoever holds it and dies is succeeded when it is over."""

RENEW_S = 2.0
"""How often whoever holds the lease renews it."""

GRACE_S = 1.0
"""How much earlier than the database the holder takes its lease for over: the clocks need only run alike."""

LAST_WORD_S = 1.0
"""How long a stop waits for the lease to be given back; without an answer it runs out."""


class Leases(Protocol):
    """A database that lends a name to one holder at a time."""

    async def hold(self, name: str, holder: str, for_s: float) -> bool:
        """Take or renew a lease; false while somebody else has it. Raises StoreUnavailableError."""

    async def let_go(self, name: str, holder: str) -> None:
        """Give a lease back. Raises StoreUnavailableError."""


class Leading:
    """Takes, renews and gives back the lease of whoever steers."""

    def __init__(self, leases: Leases, holder: str, monotonic: Callable[[], float], metrics: Metrics) -> None:
        self._leases = leases
        self._holder = holder
        self._monotonic = monotonic
        self._metrics = metrics
        self._until = -math.inf
        self.is_away = False

    @property
    def is_leader(self) -> bool:
        """Whether this process steers, and nobody else can."""
        return self._monotonic() < self._until

    async def renew(self) -> bool:
        """Take or renew the lease, and say whether this process steers; while the database is away, it runs out."""
        asked = self._monotonic()
        try:
            holds = await self._leases.hold(LEASE, self._holder, FOR_S)
        except StoreUnavailableError as error:
            self._lost_sight(str(error))
        else:
            self._note(asked, holds=holds)
        self._metrics.show_leader(leads=self.is_leader)
        return self.is_leader

    async def run(self) -> None:
        """Renew what is held until cancelled."""
        while True:
            await asyncio.sleep(RENEW_S)
            if self.is_leader:
                await self.renew()

    async def let_go(self) -> None:
        """Give the lease back, so that another process need not wait for its end."""
        held, self._until = self._until, -math.inf
        self._metrics.show_leader(leads=False)
        if held == -math.inf:
            return
        try:
            async with asyncio.timeout(LAST_WORD_S):
                await self._leases.let_go(LEASE, self._holder)
        except (StoreUnavailableError, TimeoutError) as error:
            log.info("the lease is not given back, and runs out", why=str(error))

    def _note(self, asked: float, *, holds: bool) -> None:
        if self.is_away:
            log.info("the database answers again: rollouts go on")
        self.is_away = False
        if holds and not self.is_leader:
            log.info("this process steers the rollouts")
        elif self.is_leader and not holds:
            log.warning("another process steers the rollouts")
        self._until = asked + FOR_S - GRACE_S if holds else -math.inf

    def _lost_sight(self, why: str) -> None:
        if not self.is_away:
            log.warning("no rollout goes on while the database is away; breakers, fallback and kills do", why=why)
        self.is_away = True
