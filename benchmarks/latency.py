"""What `/route` adds to the time of a call at half of what it can carry: calls at a constant rate, with it and without.

The latency of a call counts from the moment that it was due, so that nothing that waits is left out.
"""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.conditions import Effort, cores, machine
from benchmarks.envoy import TOKEN_HEADER, USER_HEADER
from benchmarks.load import Measured, Request, drive, drive_at, generator
from benchmarks.report import Bar, Finding, medians, say
from benchmarks.rounds import WARM_UP_S, Taken, failed
from benchmarks.servers import ROUTE, service, upstreams

CONNECTIONS = 16
SPARE_CONNECTIONS = 64
"""On so many the calls at a constant rate are made: more than are ever on the way at half of saturation."""

USERS = 1000
LOAD = 0.5
P50_MS, P99_MS = 1.0, 5.0
OURS, DIRECT = "crossfade", "nothing in between"


def measure(effort: Effort) -> Finding:
    """Find the saturation, and measure with and without the service at half of it, in turn."""
    chosen = cores()
    with upstreams(chosen.load) as split, service(chosen.measured, split) as ours:
        headers = {TOKEN_HEADER: ours.token, USER_HEADER: "user-{user}"}
        urls = {OURS: f"{ours.url}/route/{ROUTE}/query", DIRECT: f"{split.new}/query"}
        requests = {name: Request(url, headers=headers, users=USERS) for name, url in urls.items()}
        saturation = saturated(requests[OURS], effort, chosen.load)
        rate = LOAD * saturation
        say(f"  saturated at {saturation:,.0f} calls/s; now {rate:,.0f} calls/s")
        for request in requests.values():
            drive_at(rate, request, SPARE_CONNECTIONS, WARM_UP_S, chosen.load)
        taken: dict[str, list[Measured]] = {name: [] for name in requests}
        for number in range(1, effort.pairs + 1):
            say(f"  round {number} of {effort.pairs}")
            for name in sorted(requests, reverse=number % 2 == 0):
                taken[name].append(drive_at(rate, requests[name], SPARE_CONNECTIONS, effort.seconds, chosen.load))
    return _finding({name: Taken(each) for name, each in taken.items()}, saturation, effort)


def saturated(request: Request, effort: Effort, core: int | None) -> float:
    """Return the most calls a second, on connections that ask again as soon as they are answered."""
    drive(request, CONNECTIONS, WARM_UP_S, core)
    return statistics.median(drive(request, CONNECTIONS, effort.seconds, core).per_second for _ in range(3))


def _finding(taken: Mapping[str, Taken], saturation: float, effort: Effort) -> Finding:
    ours, direct = taken[OURS], taken[DIRECT]
    added_p50, added_p99 = added(ours.p50_ms, direct.p50_ms), added(ours.p99_ms, direct.p99_ms)
    bars = [
        Bar(f"added p50 / {P50_MS:g} ms", [each / P50_MS for each in added_p50], 1, at_most=True),
        Bar(f"added p99 / {P99_MS:g} ms", [each / P99_MS for each in added_p99], 1, at_most=True),
    ]
    rows = medians(
        {name: each.columns for name, each in taken.items()} | {"added": {"p50 ms": added_p50, "p99 ms": added_p99}}
    )
    conditions = {
        **machine("uvicorn"),
        "saturation": f"{saturation:,.0f}/s at {CONNECTIONS} connections by {generator()}",
        **effort.told(),
    }
    title = f"What /route adds at {LOAD:.0%} of saturation, at a constant rate"
    return Finding("latency", title, conditions, rows, bars, failed(taken))


def added(ours: Sequence[float], direct: Sequence[float]) -> list[float]:
    """Return by how much a quantile is later, round by round."""
    return [one - other for one, other in zip(ours, direct, strict=True)]
