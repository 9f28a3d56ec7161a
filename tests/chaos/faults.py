"""What is broken, one at a time, and how it is mended."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from tests.chaos.fleet import Fleet
from tests.chaos.judge import Death


class Fault(NamedTuple):
    """What is done to the fleet at the beginning and at the end, and which store is away in between."""

    name: str
    begin: Callable[[], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    away: str | None = None


REDIS, POSTGRES = "redis", "postgres"


class Faults:
    """Every fault of a fleet; keeps which worker was killed, and when."""

    def __init__(self, fleet: Fleet, chance: random.Random) -> None:
        self.deaths: list[Death] = []
        self._fleet = fleet
        self._chance = chance

    def in_turn(self) -> Sequence[Fault]:
        """Return the faults in the order in which they happen."""
        redis, postgres, line = self._fleet.redis, self._fleet.postgres, self._fleet.line
        frozen, thawed = _blocking(postgres.send, signal.SIGSTOP), _blocking(postgres.send, signal.SIGCONT)
        return [
            Fault("worker killed", self._kill_a_worker, _at_once(_mended_by_its_parent)),
            Fault("Redis killed, back empty", _blocking(redis.kill), _blocking(redis.start), REDIS),
            Fault("Redis cut off", _at_once(line.cut), line.heal, REDIS),
            Fault("Redis silent", _at_once(line.swallow), line.heal, REDIS),
            Fault("Postgres killed", _blocking(postgres.kill), _blocking(postgres.start), POSTGRES),
            Fault("Postgres frozen", frozen, thawed, POSTGRES),
        ]

    async def _kill_a_worker(self) -> None:
        replica = self._chance.choice(self._fleet.replicas)
        at = asyncio.get_running_loop().time()
        lines = await asyncio.to_thread(replica.kill_worker, self._chance)
        self.deaths.append(Death(at, lines))


def _mended_by_its_parent() -> None:
    """Do nothing: that is the parent's business."""


def _blocking(work: Callable[..., None], *arguments: signal.Signals) -> Callable[[], Awaitable[None]]:
    return lambda: asyncio.to_thread(work, *arguments)


def _at_once(work: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def done() -> None:
        work()

    return done
