"""Load at a steady rate: asks at its time whether or not the calls before are answered, as users do.

Reads a job as JSON from standard input and prints what came of it; run as `python -m benchmarks.paced`.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.generator import prepared, whole_length
from benchmarks.processes import on_core

_SPARE_S = 30.0
_LOOKS = 500


class Paced(NamedTuple):
    """Milliseconds from when a call was due to its whole answer; what was not answered in time is a failure."""

    p50_ms: float
    p99_ms: float
    failures: int


def drive(url: str, headers: Mapping[str, str], per_second: float, seconds: float, core: int | None) -> Paced:
    """Ask a URL so often for so long."""
    job = {"url": url, "method": "GET", "headers": dict(headers), "body": "", "connections": 64}
    told = json.dumps({**job, "per_second": per_second, "seconds": seconds})
    command = [sys.executable, "-m", "benchmarks.paced"]
    with on_core(core):
        done = subprocess.run(
            command, input=told, capture_output=True, text=True, timeout=seconds + _SPARE_S, check=True
        )
    return Paced(**json.loads(done.stdout))


class Line(asyncio.Protocol):
    """One connection, which asks when it is told to."""

    _transport: asyncio.WriteTransport

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._due = 0
        self._come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be there for the next call."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.WriteTransport, transport)
        self._crowd.free(self)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def ask(self, due: int) -> None:
        """Ask what was due then."""
        self._due = due
        self._transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        """Count the answer when it is whole."""
        self._come += data
        end = whole_length(self._come)
        if end is None or len(self._come) < end:
            return
        self._crowd.times.append(time.perf_counter_ns() - self._due)
        self._crowd.refused += self._come[9:10] not in b"23"
        self._come = self._come[end:]
        self._crowd.free(self)


class Crowd:
    """All connections, and the calls that are due and wait for one."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.times: list[int] = []
        self.refused = 0
        self._idle: list[Line] = []
        self._waiting: deque[int] = deque()

    def free(self, line: Line) -> None:
        """Take what waits longest to a connection that has nothing to do."""
        if self._waiting:
            line.ask(self._waiting.popleft())
        else:
            self._idle.append(line)

    def ask(self) -> None:
        """Ask once, now or as soon as a connection is free."""
        due = time.perf_counter_ns()
        if self._idle:
            self._idle.pop().ask(due)
        else:
            self._waiting.append(due)


async def pace(job: dict[str, Any]) -> Paced:
    """Do the job."""
    parts, crowd, loop = urlsplit(job["url"]), Crowd(prepared(job)), asyncio.get_running_loop()
    places = range(job["connections"])
    lines = [(await loop.create_connection(lambda: Line(crowd), parts.hostname, parts.port))[1] for _ in places]
    began, asked, wanted = time.perf_counter(), 0, int(job["per_second"] * job["seconds"])
    while asked < wanted:
        due = min(wanted, int((time.perf_counter() - began) * job["per_second"]))
        for _ in range(asked, due):
            crowd.ask()
        asked = due
        await asyncio.sleep(0.001)
    for _ in range(_LOOKS):
        if len(crowd.times) == asked:
            break
        await asyncio.sleep(0.01)
    for line in lines:
        line.close()
    times = sorted(crowd.times) or [0]
    p50, p99 = (times[int(len(times) * share)] / 1e6 for share in (0.5, 0.99))
    return Paced(p50, p99, crowd.refused + asked - len(crowd.times))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(pace(json.load(sys.stdin)))._asdict()))
