"""Brings breakers together with those of the fleet's other processes; no call waits for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

import structlog

from app.metrics import Metrics
from app.stores.records import StoreUnavailableError
from app.stores.redis_breakers import Telling
from routers.fleet import Heard
from routers.shared_breaker import SharedBreaker

log = structlog.get_logger("crossfade.breaker")

POLL_S = 1.0
"""How often every breaker is brought together, whatever was or was not heard."""

GAP_S = 0.05
"""The shortest time between two exchanges, in which what hurries is gathered."""

AGAIN_S = 1.0
"""The longest wait before listening is tried again; chance shortens it, so that not all come at once."""


class SharedBreakers(Protocol):
    """What a fleet has in common of its breakers."""

    async def exchange(self, tellings: Sequence[Telling]) -> Sequence[Heard]:
        """Tell and hear of some breakers, in order. Raises StoreUnavailableError."""

    def rings(self) -> AsyncIterator[str | None]:
        """Give None when listening begins, and then each breaker's name when it has changed."""


class Hurry:
    """The names of breakers that are to be brought together at once."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._any = asyncio.Event()

    def add(self, breaker: SharedBreaker) -> None:
        """Hurry with one breaker."""
        self.add_name(breaker.name)

    def add_name(self, name: str) -> None:
        """Hurry with the breaker of a name."""
        self._names.add(name)
        self._any.set()

    async def wait(self, seconds: float) -> None:
        """Wait until there is any hurry, or for so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._any.wait()

    def take(self) -> AbstractSet[str]:
        """Return the names, and forget them."""
        names, self._names = self._names, set()
        self._any.clear()
        return names


class BreakerSync:
    """Tells the fleet what breakers saw, and them what the fleet decides.

    Each is brought together every second, and at once when it is in a hurry or the fleet says that it has changed.
    While the fleet is out of reach every breaker goes on alone; only the poll asks whether it is back.
    """

    def __init__(
        self,
        store: SharedBreakers,
        breakers: Callable[[], Iterable[SharedBreaker]],
        hurry: Hurry,
        monotonic: Callable[[], float],
        chance: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._breakers = breakers
        self._hurry = hurry
        self._monotonic = monotonic
        self._chance = chance
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()
        self._is_away = False

    async def exchange(self, breakers: Sequence[SharedBreaker]) -> None:
        """Bring some breakers together; when the fleet is out of reach, all go on alone."""
        if not breakers:
            return
        async with self._one_at_a_time:
            asked = self._monotonic()
            tellings = [Telling(each.name, each.rules, each.tell(asked)) for each in breakers]
            try:
                heard = await self._store.exchange(tellings)
            except StoreUnavailableError as error:
                self._go_on_alone(breakers, str(error))
                return
            except BaseException:
                # nobody may wait for an answer that will never be read
                self._let_go_alone(breakers)
                raise
            for breaker, answer in zip(breakers, heard, strict=True):
                breaker.hear(answer, asked=asked, now=self._monotonic())
            self._are_together()

    async def exchange_all(self) -> None:
        """Bring every breaker together, or let all go on alone."""
        await self.exchange([*self._breakers()])

    async def run(self) -> None:
        """Bring breakers together until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat())
            group.create_task(self._listen())

    async def _beat(self) -> None:
        time = asyncio.get_running_loop().time
        due = time() + POLL_S
        while True:
            if self._is_away:
                await asyncio.sleep(due - time())
            else:
                await self._hurry.wait(max(0.0, due - time()))
            names, is_due = self._hurry.take(), time() >= due
            due = time() + POLL_S if is_due else due
            try:
                await self.exchange([each for each in self._breakers() if is_due or each.name in names])
            except Exception:
                # whatever it was: breakers that are never brought together again would be alone for ever
                log.exception("bringing breakers together failed, and goes on")
            await asyncio.sleep(GAP_S)

    async def _listen(self) -> None:
        while True:
            try:
                async for name in self._store.rings():
                    for each in [name] if name else [each.name for each in self._breakers()]:
                        self._hurry.add_name(each)
            except StoreUnavailableError as error:
                log.debug("changes of breakers are not heard of", why=str(error))
            except Exception:
                log.exception("listening for changes of breakers failed, and goes on")
            await asyncio.sleep(AGAIN_S * (0.2 + 0.8 * self._chance()))

    def _go_on_alone(self, told: Sequence[SharedBreaker], why: str) -> None:
        self._let_go_alone([*told, *self._breakers()])
        self._metrics.count_failed_breaker_sync()
        self._metrics.show_breakers_shared(shared=False)
        if not self._is_away:
            log.warning("breakers go on in this process alone", why=why)
        self._is_away = True

    def _let_go_alone(self, breakers: Iterable[SharedBreaker]) -> None:
        now = self._monotonic()
        for breaker in breakers:
            breaker.alone(now)

    def _are_together(self) -> None:
        self._metrics.show_breakers_shared(shared=True)
        if self._is_away:
            log.info("breakers act in the whole fleet again")
        self._is_away = False
