"""The breaker of a route's new side, watched through `GET /breakers` while other things happen."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from app.demo.client import Client, RefusedError
from routers.call import SendError

LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Sighting:
    """The breaker at one moment; `share` of the calls admitted is 0 to 1, `wait_s` is what an open one still waits."""

    at: float
    state: str
    share: float
    wait_s: float | None


class BreakerWatch:
    """Looks at the breaker twenty times a second while it is entered."""

    def __init__(self, client: Client, route: str) -> None:
        self._client = client
        self._route = route
        self._seen: list[Sighting] = []
        self._looked = asyncio.Condition()

    async def __aenter__(self) -> Self:
        """Look once, then go on in the background."""
        await self._look()
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Look away."""
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching

    def since(self, moment: float) -> list[Sighting]:
        """Return what was seen since `moment`."""
        return [sighting for sighting in self._seen if sighting.at >= moment]

    async def until(self, is_meant: Callable[[Sighting], bool], within_s: float) -> Sighting | None:
        """Wait for a sighting, and return it, or None if there is none within so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._looked:
                await self._looked.wait_for(lambda: is_meant(self._seen[-1]))
                return self._seen[-1]
        return None

    async def until_state(self, state: str, within_s: float) -> Sighting | None:
        """Wait until the breaker is seen in a state."""
        return await self.until(lambda sighting: sighting.state == state, within_s)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with suppress(SendError, TimeoutError, RefusedError):
                await self._look()

    async def _look(self) -> None:
        answer = await self._client.operate("GET", "/breakers")
        now = time.perf_counter()
        [new] = [item for item in answer["items"] if (item["route"], item["backend"]) == (self._route, "new")]
        async with self._looked:
            self._seen.append(Sighting(now, new["state"], new["share"], new["retry_after_s"]))
            self._looked.notify_all()
