"""Minutes at 80 % of what `/route` can carry, every answer checked to the byte, memory and open files watched."""

import asyncio
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import httpx
import psutil

from benchmarks.conditions import Effort, cores, machine
from benchmarks.mix import SHARES, mixed
from benchmarks.processes import HOST, address_of, free_port, on_core, running
from benchmarks.report import Bar, Finding, Row, quantile, say
from benchmarks.servers import ROUTE, Service, Split, service
from benchmarks.steady import Player, exact_loop

LOAD = 0.8
USERS = 101
CONNECTIONS = 32
"""On so many the saturation is measured."""

SPARE_CONNECTIONS = 256
WARM_UP_S, SATURATE_S = 3.0, 5.0
LOOK_EVERY_S, TELL_EVERY_S = 1.0, 30.0
MIB = 1 << 20
SLOPE_MIB, FILES = 1.0, 8.0
"""How much more memory a minute, and how many more open files, still count as flat."""

SHORTEST_MINUTES = 5.0
OVERLOADED_MS = 100.0
"""A median above it says that calls queue: the machine has become slower than when its saturation was found."""


class Look(NamedTuple):
    """What the process of the service had at a time, in minutes from the start: memory in MiB, open files."""

    minute: float
    memory: float
    files: int


class Soaked(NamedTuple):
    """What came of it: the rate found and the rate kept, in calls a second, the answers, and what was looked at."""

    saturation: float
    rate: float
    player: Player
    looks: Sequence[Look]


def measure(effort: Effort) -> Finding:
    """Find the saturation by the same mix of calls, and keep 80 % of it up."""
    chosen = cores()
    sides = {name: free_port() for name in ("legacy", "new")}
    told = [str(word) for side in sides.items() for word in side]
    legacy, new = (f"http://{HOST}:{port}" for port in sides.values())
    with (
        running([sys.executable, "-m", "benchmarks.echo", *told], sides["new"], core=chosen.load),
        service(chosen.measured, Split(legacy, new)) as ours,
        on_core(chosen.load),
        asyncio.Runner(loop_factory=exact_loop) as runner,
    ):
        return _finding(runner.run(_soak(ours, effort.minutes)), effort.minutes)


async def _soak(ours: Service, minutes: float) -> Soaked:
    address = address_of(ours.url)
    calls = mixed(ours, await _sides(ours))
    async with Player(address, CONNECTIONS) as player:
        await player.as_answered(calls, WARM_UP_S)
        saturation = await player.as_answered(calls, SATURATE_S)
    rate = LOAD * saturation
    say(f"  saturated at {saturation:,.0f} calls/s; now {rate:,.0f} calls/s for {minutes:g} minutes")
    async with Player(address, SPARE_CONNECTIONS) as player:
        looks: list[Look] = []
        watch = asyncio.create_task(_watch(ours.pid, player, looks))
        try:
            await player.at_rate(calls, rate, minutes * 60)
        finally:
            watch.cancel()
    return Soaked(saturation, rate, player, looks)


async def _sides(ours: Service) -> Mapping[str, str]:
    """Return the users with the backend that the service decides for each."""
    sides = {}
    async with httpx.AsyncClient(base_url=ours.url, headers={"Authorization": f"Bearer {ours.token}"}) as client:
        for user in (f"user-{number}" for number in range(USERS)):
            body = {"context": {"targetingKey": user}}
            answer = await client.post(f"/routes/{ROUTE}/decision", json=body)
            sides[user] = answer.raise_for_status().json()["backend"]
    return sides


async def _watch(pid: int, player: Player, looks: list[Look]) -> None:
    process, began, told = psutil.Process(pid), time.perf_counter(), 0
    next_tell = TELL_EVERY_S
    while True:
        passed = time.perf_counter() - began
        looks.append(Look(passed / 60, process.memory_info().rss / MIB, process.num_fds()))
        if passed >= next_tell:
            next_tell += TELL_EVERY_S
            say(f"  {_progress(looks[-1], player, told)}")
            told = len(player.latencies_us)
        await asyncio.sleep(LOOK_EVERY_S)


def _progress(look: Look, player: Player, told: int) -> str:
    p99 = quantile(player.latencies_us[told:] or [0], 0.99) / 1000
    return (
        f"{look.minute:.1f} min: {len(player.latencies_us):,} answers, {player.wrong} wrong, {player.broken} broken, "
        f"p99 of late {p99:,.1f} ms, {look.memory:,.1f} MiB, {look.files} open files"
    )


def memory_slope(looks: Sequence[Look]) -> float:
    """Return by how many MiB a minute memory grows in the second half, by the line that fits best."""
    half = looks[len(looks) // 2 :]
    return statistics.linear_regression([each.minute for each in half], [each.memory for each in half]).slope


def more_files(looks: Sequence[Look]) -> float:
    """Return how many more files are open in the last quarter than in the second, by their medians."""
    quarter = len(looks) // 4
    before, last = looks[quarter : 2 * quarter], looks[-quarter:]
    return statistics.median(each.files for each in last) - statistics.median(each.files for each in before)


def _finding(soaked: Soaked, minutes: float) -> Finding:
    player, looks = soaked.player, soaked.looks
    bars = [
        Bar("wrong answers", [player.wrong], 0, at_most=True),
        Bar("calls without an answer", [player.broken], 0, at_most=True),
        Bar(f"memory's growth a minute / {SLOPE_MIB:g} MiB", [memory_slope(looks) / SLOPE_MIB], 1, at_most=True),
        Bar(f"more open files / {FILES:g}", [more_files(looks) / FILES], 1, at_most=True),
    ]
    figures = {
        "answers": len(player.latencies_us),
        "req/s": len(player.latencies_us) / (minutes * 60),
        "p50 ms": quantile(player.latencies_us, 0.5) / 1000,
        "p99 ms": quantile(player.latencies_us, 0.99) / 1000,
        "MiB at half": looks[len(looks) // 2].memory,
        "MiB at the end": looks[-1].memory,
        "open files": looks[-1].files,
    }
    wrong = player.first_wrong
    warnings = [] if wrong is None else [f"the first wrong answer: {wrong.status} {wrong.body.decode()}"[:500]]
    if minutes < SHORTEST_MINUTES:
        warnings.append(f"less than {SHORTEST_MINUTES:g} minutes tell little of memory")
    if figures["p50 ms"] > OVERLOADED_MS:
        warnings.append("the calls had to queue: something else took the machine after its saturation was found")
    mix = ", ".join(f"{share} % {name}" for name, share in SHARES.items())
    conditions = {**machine("uvicorn"), "minutes": minutes, "saturation": f"{soaked.saturation:,.0f}/s", "mix": mix}
    title = f"{minutes:g} minutes at {LOAD:.0%} of saturation"
    return Finding("soak", title, conditions, [Row("crossfade", figures)], bars, warnings)
