"""Load, writers and one fault after the other; and what everybody saw."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.faults import REDIS, Fault, Faults
from tests.chaos.fleet import Fleet, Replica, running_fleet, until
from tests.chaos.judge import Death, Outcome, Question, Remembered, Span, Write
from tests.chaos.load import Load
from tests.chaos.steered import Steered, Steering
from tests.chaos.writers import Keys, Writers

CALM = "calm"


class Plan(NamedTuple):
    """How long each part takes, in seconds, and how much is asked and written meanwhile.

    `frozen_s` is how long Postgres is frozen: beyond the service's time limit of five seconds, to see that end too.
    """

    seconds: float = 60.0
    calm_s: float = 3.0
    fault_s: float = 3.0
    frozen_s: float = 8.0
    rate: float = 200.0
    write_pause_s: float = 0.6
    seed: int = 1


class Phase(NamedTuple):
    """A fault until the next one begins; `mended` is when it ended, `settled` when all was well again."""

    name: str
    away: str | None
    span: Span
    mended: float
    settled: float


@dataclass(frozen=True)
class Evidence:
    """Everything that was seen; what the replicas say at the end, by flag and replica."""

    phases: Sequence[Phase]
    questions: Sequence[Question]
    written: Mapping[str, Sequence[Write]]
    deaths: Sequence[Death]
    remembered: Mapping[str, Sequence[Remembered]]
    steering: Steering

    @property
    def outages(self) -> list[Span]:
        """From when until when Redis was away."""
        return [Span(phase.span.began, phase.mended) for phase in self.phases if phase.away == REDIS]


async def played(plan: Plan, folder: Path) -> Evidence:
    """Run a fleet through every fault."""
    chance = random.Random(plan.seed)
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(running_fleet(folder))
        keys = Keys.of(4, 8)
        writers = Writers(fleet.replicas, keys, plan.write_pause_s, chance)
        await writers.set_up()
        steered = Steered(fleet.replicas, chance)
        await steered.set_up()
        await fleet.settled()
        load, faults, over = Load(fleet.replicas, keys.moved, plan.rate, chance), Faults(fleet, chance), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(over))
            group.create_task(writers.run(over))
            group.create_task(steered.run(over))
            phases = await _broken_in_turn(plan, fleet, faults.in_turn(), writers)
            over.set()
        await _carried(fleet, writers)
        remembered = {key: [await _told(each, key, keys) for each in fleet.replicas] for key in writers.written}
        return Evidence(phases, load.asked, writers.written, faults.deaths, remembered, await steered.end())


async def _broken_in_turn(plan: Plan, fleet: Fleet, faults: Sequence[Fault], writers: Writers) -> list[Phase]:
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.sleep(plan.calm_s)
    phases = [Phase(CALM, None, Span(start, loop.time()), start, start)]
    for fault in faults:
        began = loop.time()
        await fault.begin()
        await asyncio.sleep(plan.frozen_s if "frozen" in fault.name else plan.fault_s)
        await fault.end()
        mended = loop.time()
        await _carried(fleet, writers)
        settled = loop.time()
        await asyncio.sleep(plan.calm_s)
        phases.append(Phase(fault.name, fault.away, Span(began, loop.time()), mended, settled))
    await asyncio.sleep(start + plan.seconds - loop.time())
    last = phases.pop()
    return [*phases, last._replace(span=Span(last.span.began, loop.time()))]


async def _carried(fleet: Fleet, writers: Writers) -> None:
    """Wait until every worker is well, and the journal has everything that has been acknowledged by now."""
    wanted = {
        key: {write.version for write in own if write.outcome is Outcome.ACKNOWLEDGED}
        for key, own in writers.written.items()
    }

    await fleet.settled()
    for key, versions in wanted.items():
        await until(partial(_has_all, fleet.replicas[0], key, versions), f"the journal misses changes of {key}")


async def _has_all(replica: Replica, key: str, versions: set[int | None]) -> bool:
    return versions <= {version["version"] for version in await _history(replica, key)}


async def _history(replica: Replica, key: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await replica.ok("GET", f"/flags/{key}/history?limit=1000"))["items"]
    return items


async def _told(replica: Replica, key: str, keys: Keys) -> Remembered:
    value = _text if key in keys.told else _weight
    in_force = await replica.ok("GET", f"/flags/{key}")
    history = [(each["version"], value(each["document"])) for each in await _history(replica, key)]
    return Remembered(history, in_force["version"], value(in_force))


def _text(document: dict[str, Any]) -> str:
    return str(document["description"])


def _weight(document: dict[str, Any]) -> int:
    split = document["default"].get("split")
    return int(split[0]["weight"]) if split else 0
