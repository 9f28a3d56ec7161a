"""Load on a URL: `wrk` where it is installed, else the generator of this package."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import on_core

NEAR_LIMIT = 0.8
"""From this share of the direct rate on, generator and upstream have a part in what is measured."""

_LUA = Path(__file__).with_name("wrk.lua")
_SPARE_S = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """The one request that is repeated."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


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
    command = _built_in() if wrk is None else _wrk(wrk, request, connections, seconds)
    job = json.dumps({**asdict(request), "connections": connections, "seconds": seconds})
    with on_core(core):
        done = subprocess.run(
            command, input=job, capture_output=True, text=True, timeout=seconds + _SPARE_S, check=True
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
    return [wrk, *options, request.url, "--", request.method, request.body, *headers]


def _built_in() -> Sequence[str]:
    return [sys.executable, "-m", "benchmarks.generator"]
