"""Whether users notice what a shadow does: p99 of a route with a shadow next to the same route without one."""

import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import httpx

from benchmarks.conditions import Effort, cores, machine
from benchmarks.faulty_upstream import MODES
from benchmarks.load import Measured, Request, drive_at
from benchmarks.processes import HOST, START_S, free_port, running
from benchmarks.report import Bar, Finding, medians, quotients
from benchmarks.rounds import Taken, failed
from benchmarks.servers import upstreams

NONE = "no shadow"
PER_SECOND = 200.0
CONNECTIONS = 64
LEAST_PAIRS = 20
BOUND = 1.10
SHADOW = {"sample": 0.1, "control_sample": 0.1, "timeout_ms": 500}
# it never opens: what a shadow costs is to be seen
NEVER = {"minimum_calls": 100_000, "failure_rate": 1}


def measure(effort: Effort) -> Finding:
    """Measure a route without a shadow and one for each way a shadow can fail, in turn, at a steady rate.

    The service and what it starts have one core, load and backends share the other.
    """
    chosen, pairs = cores(), max(LEAST_PAIRS, effort.pairs)
    with ExitStack() as stack:
        serving = stack.enter_context(upstreams(chosen.load)).legacy
        others = {mode: stack.enter_context(_faulty(mode, chosen.load)) for mode in MODES}
        url, token = stack.enter_context(_service(chosen.measured, serving, others))
        headers = {"X-Crossfade-Token": token, "X-User-Id": "user-1"}
        requests = {name: Request(f"{url}/route/{_route(name)}/query", headers=headers) for name in (NONE, *MODES)}
        taken: dict[str, list[Measured]] = {name: [] for name in requests}
        order = [*taken]
        for _ in range(pairs):
            for name in order:
                taken[name].append(drive_at(PER_SECOND, requests[name], CONNECTIONS, effort.seconds, chosen.load))
            order.reverse()
    return _finding({name: Taken(several) for name, several in taken.items()}, effort._replace(pairs=pairs))


def _finding(taken: Mapping[str, Taken], effort: Effort) -> Finding:
    rows = medians({name: {"p50 ms": each.p50_ms, "p99 ms": each.p99_ms} for name, each in taken.items()})
    bars = [
        Bar(f"p99, its shadow {mode}: / none", quotients(taken[mode].p99_ms, taken[NONE].p99_ms), BOUND, at_most=True)
        for mode in MODES
    ]
    conditions = {**machine("uvicorn"), "calls a second": PER_SECOND, "sample": SHADOW["sample"], **effort.told()}
    return Finding(
        "shadow", "Users' calls beside a shadow that fails, at a steady rate", conditions, rows, bars, failed(taken)
    )


def _route(name: str) -> str:
    return name.replace(" ", "-")


@contextmanager
def _faulty(mode: str, core: int | None) -> Iterator[str]:
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.faulty_upstream", str(port), mode], port, core=core):
        yield f"http://{HOST}:{port}"


@contextmanager
def _service(core: int | None, serving: str, others: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Run the service with a route for each mode, all of whose callers belong to legacy, and give it and a token."""
    port, admin = free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        env = {"CROSSFADE_DATA_DIR": folder, "CROSSFADE_ADMIN_TOKEN": admin, "CROSSFADE_LOG_LEVEL": "error"}
        command = [sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port", str(port)]
        with running(command, port, core=core, env=env):
            url = f"http://{HOST}:{port}"
            yield url, _set_up(url, admin, serving, others)


def _set_up(url: str, admin: str, serving: str, others: Mapping[str, str]) -> str:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {admin}"}, timeout=START_S) as client:
        flag = {"key": "bench", "variants": {"new": True, "legacy": False}}
        client.post("/flags", json=flag).raise_for_status()
        for name, other in {NONE: serving, **others}.items():
            backends = {side: {"url": where, "breaker": NEVER} for side, where in (("legacy", serving), ("new", other))}
            shadow = None if name == NONE else SHADOW
            route = {"name": _route(name), "flag": "bench", "backends": backends, "shadow": shadow}
            client.post("/routes", json=route).raise_for_status()
        made = client.post("/tokens", json={"id": "load", "role": "evaluate"}).raise_for_status()
    token: str = made.json()["token"]
    return token
