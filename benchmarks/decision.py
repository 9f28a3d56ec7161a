"""`POST /routes/{name}/decision`, with authentication and metrics, next to a raw ASGI application on the same core."""

import json
from collections.abc import Mapping

from benchmarks.conditions import Effort, cores, machine
from benchmarks.load import Request, generator, near_limit
from benchmarks.report import Bar, Finding, medians, quotients
from benchmarks.rounds import Taken, Target, failed, in_turn
from benchmarks.servers import ROUTE, raw_asgi, service, upstreams

CONNECTIONS = 16
OURS, FLOOR, DIRECT = "crossfade", "raw ASGI", "fixed answer"


def measure(effort: Effort) -> Finding:
    """Measure both on one core, with the load from another; the fixed answer shows what the load could take."""
    chosen = cores()
    with (
        upstreams(chosen.measured) as direct,
        raw_asgi(chosen.measured) as floor,
        service(chosen.measured, direct._replace(percentage=100)) as ours,
    ):
        body = json.dumps({"context": {"targetingKey": "user-1", "plan": "pro"}})
        headers = {"Authorization": f"Bearer {ours.token}", "Content-Type": "application/json"}
        urls = {OURS: f"{ours.url}/routes/{ROUTE}/decision", FLOOR: f"{floor}/"}
        targets = {name: Target(Request(url, "POST", headers, body), CONNECTIONS) for name, url in urls.items()}
        targets[DIRECT] = Target(Request(f"{direct.new}/"), CONNECTIONS)
        return _finding(in_turn(targets, effort, chosen.load), effort)


def _finding(taken: Mapping[str, Taken], effort: Effort) -> Finding:
    ours, floor = taken[OURS], taken[FLOOR]
    bars = [
        Bar("req/s of crossfade / raw ASGI", quotients(ours.per_second, floor.per_second), 0.6),
        Bar("p99 of crossfade / raw ASGI", quotients(ours.p99_ms, floor.p99_ms), 2, at_most=True),
    ]
    rows = medians({name: each.columns for name, each in taken.items()})
    rate = {row.name: row.figures["req/s"] for row in rows}
    warnings = [*failed(taken), *near_limit(FLOOR, rate[FLOOR], rate[DIRECT])]
    conditions = {**machine("uvicorn"), "load": generator(), "connections": CONNECTIONS, **effort.told()}
    return Finding("decision", f"POST decision, {CONNECTIONS} connections", conditions, rows, bars, warnings)
