"""A rollout that is active all the while: what it gives the new side, and how soon it takes that back."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from tests.chaos.connection import BrokenError
from tests.chaos.fleet import Replica, until
from tests.chaos.judge import LEGACY, NEW

KEY = "steered"
STEP = 10_000
"""The weight of the only step that it may be at: nobody calls, so nothing can show that it may go on."""

LOOK_EVERY_S = 0.2
BACK_WITHIN_S = 15.0
"""Two seconds of an open breaker and a look, or a dead leader's lease and all of a new one; and a busy machine."""


class Steering(NamedTuple):
    """Every weight that a replica had in force, and the seconds from a broken limit until it was 0 everywhere."""

    weights: frozenset[int]
    back_s: float


class Steered:
    """A rollout on a flag and a route of its own, which no writer touches."""

    def __init__(self, replicas: Sequence[Replica], chance: random.Random) -> None:
        self._replicas = replicas
        self._chance = chance
        self._weights: set[int] = set()
        self._id = ""

    async def set_up(self) -> None:
        """Make the flag, the route and the rollout, and start it."""
        first = self._replicas[0]
        await first.ok("POST", "/flags", {"key": KEY, "variants": {NEW: True, LEGACY: False}})
        backends = {side: {"url": f"http://127.0.0.1:9/{side}"} for side in (NEW, LEGACY)}
        await first.ok("POST", "/routes", {"name": KEY, "flag": KEY, "backends": backends})
        made = await first.ok("POST", "/rollouts", {"plan": _plan()})
        self._id = made["id"]
        await first.ok("POST", f"/rollouts/{self._id}/start", {})

    async def run(self, over: asyncio.Event) -> None:
        """Look at the flag until it is over, each time in another replica."""
        while not over.is_set():
            with suppress(BrokenError):
                self._weights.add(await self._weight(self._chance.choice(self._replicas)))
            await asyncio.sleep(LOOK_EVERY_S)

    async def end(self) -> Steering:
        """Break a hard limit, and wait until every replica has everyone back."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._replicas[0].ok("POST", f"/breakers/{KEY}/{NEW}/open", {"reason": "chaos"})
        await until(self._is_back, "the rollout did not go back")
        return Steering(frozenset(self._weights), loop.time() - began)

    async def _is_back(self) -> bool:
        told = [await each.ok("GET", f"/rollouts/{self._id}") for each in self._replicas]
        weights = [await self._weight(each) for each in self._replicas]
        return {each["state"] for each in told} == {"rolled_back"} and not any(weights)

    async def _weight(self, replica: Replica) -> int:
        split = (await replica.ok("GET", f"/flags/{KEY}"))["default"].get("split")
        return int(split[0]["weight"]) if split else 0


def _plan() -> dict[str, object]:
    return {
        "name": KEY,
        "flag": KEY,
        "route": KEY,
        "interval_s": 1,
        "steps": [{"percentage": 10, "min_units": 1, "gates": ["errors"]}, {"percentage": 100}],
        "gates": {"errors": {"metric": "error_rate", "relative_max": 1.2}},
        "guardrails": ["errors"],
        "hard_limits": {"breaker_open_s": 2},
    }
