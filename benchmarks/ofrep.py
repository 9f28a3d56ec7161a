"""OFREP: one flag next to a raw ASGI application and next to fast-feature, each on the same core; and a bulk of 100."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from benchmarks.conditions import Effort, cores, machine
from benchmarks.load import Request, generator, near_limit
from benchmarks.ofrep_flags import CONTEXT, KEYS, ONE, documents
from benchmarks.report import Bar, Finding, medians, quotients
from benchmarks.rounds import Taken, Target, failed, in_turn
from benchmarks.servers import raw_asgi, service, under_uvicorn, upstreams

CONNECTIONS = 16
OURS, FLOOR, DIRECT, PEER = "crossfade", "raw ASGI", "fixed answer", "fast-feature"
BULK, BULK_OF_PEER, UNCHANGED = "crossfade, bulk of 100", "fast-feature, bulk of 100", "crossfade, bulk of 100, 304"

_BODY = json.dumps({"context": CONTEXT})


def measure(effort: Effort) -> Finding:
    """Measure all on one core, with the load from another; the fixed answer shows what the load could take."""
    chosen = cores()
    with (
        upstreams(chosen.measured) as direct,
        raw_asgi(chosen.measured) as floor,
        service(chosen.measured, direct, flags=documents()) as ours,
        _peer(chosen.measured) as peer,
    ):
        headers = {"Authorization": f"Bearer {ours.token}", "Content-Type": "application/json"}
        targets = _asked(OURS, BULK, ours.url, headers)
        targets[UNCHANGED] = _target(f"{ours.url}/ofrep/v1/evaluate/flags", {**headers, "If-None-Match": "*"})
        targets[FLOOR] = _target(f"{floor}/", headers)
        targets[DIRECT] = Target(Request(f"{direct.new}/"), CONNECTIONS)
        if peer is not None:
            targets |= _asked(PEER, BULK_OF_PEER, peer, headers)
        return _finding(in_turn(targets, effort, chosen.load), effort)


@contextmanager
def _peer(core: int | None) -> Iterator[str | None]:
    """Run fast-feature if it is installed, and yield its URL."""
    if find_spec("fast_feature") is None:
        yield None
        return
    with under_uvicorn("benchmarks.fast_feature_peer:app", core) as url:
        yield url


def _asked(one: str, bulk: str, url: str, headers: Mapping[str, str]) -> dict[str, Target]:
    path = f"{url}/ofrep/v1/evaluate/flags"
    return {one: _target(f"{path}/{ONE}", headers), bulk: _target(path, headers)}


def _target(url: str, headers: Mapping[str, str]) -> Target:
    return Target(Request(url, "POST", headers, _BODY), CONNECTIONS)


def _finding(taken: Mapping[str, Taken], effort: Effort) -> Finding:
    ours, floor = taken[OURS], taken[FLOOR]
    bars = [Bar("req/s of crossfade / raw ASGI", quotients(ours.per_second, floor.per_second), 0.6)]
    warnings = failed(taken)
    if PEER in taken:
        bars.append(Bar("req/s of crossfade / fast-feature", quotients(ours.per_second, taken[PEER].per_second), 5))
    else:
        warnings.append("fast-feature is not installed, and not measured")
    rows = medians({name: each.columns for name, each in taken.items()})
    rate = {row.name: row.figures["req/s"] for row in rows}
    warnings += near_limit(FLOOR, rate[FLOOR], rate[DIRECT])
    told = {"load": generator(), "connections": CONNECTIONS, "flags": len(KEYS), **effort.told()}
    return Finding("ofrep", f"OFREP, {CONNECTIONS} connections", {**machine("uvicorn"), **told}, rows, bars, warnings)
