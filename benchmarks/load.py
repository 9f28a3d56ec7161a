"""Load on a URL: `wrk` where it is installed, else the generator of this package."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import on_core

NEAR_LIMIT = 0.8
"""From this share of the direct rate on, generator and upstream have a part in what is measured."""

_LUA = Path(__file__).with_name("wrk.lua")
_SPARE_S = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """The request that is repeated, by `users` in turn: `{user}` in a header is the user's number."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    users: int = 1


class Measured(NamedTuple):
    """What one measurement gave; `failures` counts broken connections and answers that are not 2xx or 3xx."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failures: int


def generator() -> str:
    """Return the name of what makes the load here."""
    return "wrk" if shutil.which("wrk") else "built in"


def drive(request: Request, connections: int, seconds: float, core: int | None) -> Measured:
    """Repeat the request on that many connections, each asking again when it is answered."""
    wrk = shutil.which("wrk")
    command = _module("generator") if wrk is None else _wrk(wrk, request, connections, seconds)
    return _done(command, {**asdict(request), "connections": connections, "seconds": seconds}, core)


def drive_at(per_second: float, request: Request, connections: int, seconds: float, core: int | None) -> Measured:
    """Repeat the request at a constant rate on at most that many connections; latency counts from when it was due."""
    job = {**asdict(request), "rate": per_second, "connections": connections, "seconds": seconds}
    return _done(_module("steady"), job, core)


def _done(command: Sequence[str], job: Mapping[str, Any], core: int | None) -> Measured:
    with on_core(core):
        done = subprocess.run(
            command,
            input=json.dumps(job),
            stdout=subprocess.PIPE,
            text=True,
            timeout=job["seconds"] + _SPARE_S,
            check=True,
        )
    told = json.loads(done.stdout.splitlines()[-1])
    return Measured(
        told["requests"] / told["seconds"], told["p50_us"] / 1000, told["p99_us"] / 1000, int(told["failures"])
    )


def near_limit(name: str, rate: float, direct: float) -> list[str]:
    """Return the warning that a figure says as much about the load as about what is measured, if it does."""
    if rate <= NEAR_LIMIT * direct:
        return []
    return [f"{name} reached {rate / direct:.0%} of the direct rate: the load itself limits it"]


def _wrk(wrk: str, request: Request, connections: int, seconds: float) -> Sequence[str]:
    # wrk takes whole seconds only
    options = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}", "--timeout", "10s", "-s", str(_LUA)]
    headers = [part for header in request.headers.items() for part in header]
    return [wrk, *options, request.url, "--", request.method, request.body, str(request.users), *headers]


def _module(name: str) -> Sequence[str]:
    return [sys.executable, "-m", f"benchmarks.{name}"]
