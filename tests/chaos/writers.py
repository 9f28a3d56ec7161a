"""Writers that change flags through any replica all the while, and keep what each write came to."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flags.bucketing import BUCKETS
from tests.chaos.connection import Answer, BrokenError
from tests.chaos.fleet import Replica
from tests.chaos.judge import LEGACY, NEW, Outcome, Write

WRITE_WITHIN_S = 10.0
"""As long as the command line waits for an answer."""

FAILED = 500


@dataclass(frozen=True)
class Keys:
    """The flags: those whose percentage is changed, each with a route of its name, and those whose text is."""

    moved: Sequence[str]
    told: Sequence[str]

    @classmethod
    def of(cls, moved: int, told: int) -> "Keys":
        """Name so many of both."""
        return cls([f"moved-{number}" for number in range(moved)], [f"told-{number}" for number in range(told)])


class Writers:
    """Everything that was written, flag by flag in the order in which it was sent."""

    def __init__(self, replicas: Sequence[Replica], keys: Keys, pause_s: float, chance: random.Random) -> None:
        self.written: dict[str, list[Write]] = {}
        self._replicas = replicas
        self._keys = keys
        self._pause_s = pause_s
        self._chance = chance
        self._versions: dict[str, int] = {}
        self._loop = asyncio.get_running_loop()

    @property
    def all(self) -> list[Write]:
        """Every write of every flag."""
        return [write for own in self.written.values() for write in own]

    async def set_up(self) -> None:
        """Make the flags and the routes."""
        first = self._replicas[0]
        for key in [*self._keys.moved, *self._keys.told]:
            sent = self._loop.time()
            await first.ok("POST", "/flags", {"key": key, "variants": {NEW: True, LEGACY: False}})
            made: int | str = 0 if key in self._keys.moved else ""
            self.written[key] = [Write(key, made, sent, self._loop.time(), Outcome.ACKNOWLEDGED, 1)]
            self._versions[key] = 1
        for key in self._keys.moved:
            backends = {side: {"url": f"http://127.0.0.1:9/{side}"} for side in (NEW, LEGACY)}
            await first.ok("POST", "/routes", {"name": key, "flag": key, "backends": backends})

    async def run(self, over: asyncio.Event) -> None:
        """Write until it is over: to each flag one after the other, to different flags at once."""
        async with asyncio.TaskGroup() as group:
            for key in self.written:
                group.create_task(self._write_on(key, over))

    async def _write_on(self, key: str, over: asyncio.Event) -> None:
        while not over.is_set():
            await asyncio.sleep(self._pause_s * self._chance.uniform(0.5, 1.5))
            await self._write(key, self._chance.choice(self._replicas))

    async def _write(self, key: str, replica: Replica) -> None:
        value: int | str
        if key in self._keys.moved:
            value = self._chance.randrange(BUCKETS + 1)
            asked = replica.ask("PUT", f"/flags/{key}/rollout", {"percentage": value * 100 / BUCKETS})
        else:
            value, version = f"{self._chance.getrandbits(64):x}", f"{self._versions[key]}"
            asked = replica.ask("PATCH", f"/flags/{key}", {"description": value}, If_Match=version)
        sent = self._loop.time()
        outcome, version_now, problem, broken = Outcome.IN_DOUBT, None, "", None
        try:
            async with asyncio.timeout(WRITE_WITHIN_S):
                answer = await asked
        except BrokenError as error:
            problem, broken = f"replica {replica.number}: {error}", error.line
        except TimeoutError:
            problem = f"replica {replica.number}: no answer in time"
        else:
            outcome, version_now = self._judged(key, answer)
            problem = "" if version_now else f"replica {replica.number}: {answer.body.decode()}"
        self.written[key].append(Write(key, value, sent, self._loop.time(), outcome, version_now, problem, broken))

    def _judged(self, key: str, answer: Answer) -> tuple[Outcome, int | None]:
        told: dict[str, Any] = answer.json()
        self._versions[key] = max(self._versions[key], told.get("version", 0))
        if answer.status == 200:
            return Outcome.ACKNOWLEDGED, told["version"]
        # Redis may have a change whose acknowledgement was lost on the way
        return (Outcome.IN_DOUBT if answer.status >= FAILED else Outcome.REFUSED), None
