"""The load generator for machines without `wrk`: prepared requests, one for each user, repeated on open connections.

Reads a job as JSON from standard input and prints what came of it; run as `python -m benchmarks.generator`.
"""

import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class Tally:
    """What all connections count together; times are nanoseconds."""

    def __init__(self) -> None:
        self.times: list[int] = []
        self.failures = 0
        self.over = False


class Asker(asyncio.Protocol):
    """One connection: asks again as soon as it is answered, until the tally is over."""

    _transport: asyncio.WriteTransport
    _began = 0

    def __init__(self, requests: Iterator[bytes], tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.WriteTransport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Count the answer when it is whole, and ask again."""
        self._come += data
        end = whole_length(self._come)
        if end is None or len(self._come) < end:
            return
        tally = self._tally
        tally.times.append(time.perf_counter_ns() - self._began)
        tally.failures += self._come[9:10] not in b"23"
        self._come = self._come[end:]
        if tally.over:
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count a connection that broke."""
        self._tally.failures += not self._tally.over

    def _ask(self) -> None:
        self._began = time.perf_counter_ns()
        self._transport.write(next(self._requests))


def whole_length(answer: bytes) -> int | None:
    """Return how long the first answer is, None while that is not known. Raises ValueError without a length."""
    head_end = answer.find(_HEAD_END)
    if head_end < 0:
        return None
    length = _LENGTH.search(answer, 0, head_end)
    if length is None:
        raise ValueError("only answers with a Content-Length can be counted")
    return head_end + len(_HEAD_END) + int(length[1])


def prepared(job: dict[str, Any]) -> list[bytes]:
    """Return the requests as they go over the wire: one for each user, whose number stands for `{user}` in headers."""
    url: str = job["url"]
    parts = urlsplit(url)
    body: bytes = job["body"].encode()
    headers = {"Host": parts.netloc, **job["headers"], **({"Content-Length": str(len(body))} if body else {})}
    lines = [f"{job['method']} {parts.path or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, "", ""])
    return [head.replace("{user}", str(user)).encode() + body for user in range(1, job["users"] + 1)]


async def drive(job: dict[str, Any]) -> dict[str, float]:
    """Do the job, and return the requests answered, the seconds they took, two percentiles and the failures."""
    parts, tally, requests = urlsplit(job["url"]), Tally(), itertools.cycle(prepared(job))
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    for _ in range(job["connections"]):
        await loop.create_connection(lambda: Asker(requests, tally), parts.hostname, parts.port)
    await asyncio.sleep(job["seconds"] - (time.perf_counter() - began))
    took = time.perf_counter() - began
    tally.over = True
    times = sorted(tally.times) or [0]
    p50, p99 = (times[int(len(times) * share)] / 1000 for share in (0.5, 0.99))
    return {"requests": len(tally.times), "seconds": took, "p50_us": p50, "p99_us": p99, "failures": tally.failures}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(uvloop.run(drive(json.load(sys.stdin)))) + "\n")
