"""8,000 idle streams through `/route` at once: the memory they take, and what a plain call notices of them."""

import asyncio
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import NamedTuple

import httpx
import psutil
import uvloop

from benchmarks.conditions import Cores, Effort, cores, machine
from benchmarks.envoy import TOKEN_HEADER, USER_HEADER
from benchmarks.generator import prepared
from benchmarks.idle import FIRST, LAST
from benchmarks.load import Request, drive, generator
from benchmarks.processes import HOST, address_of, free_port, on_core, running
from benchmarks.report import Bar, Finding, medians, say
from benchmarks.rounds import Taken, failed
from benchmarks.servers import MOST_AT_ONCE, ROUTE, Service, Split, service
from benchmarks.wire import Answer, Wire

STREAMS = 8000
AT_A_TIME = 100
"""How many are being opened at once."""

WITHIN_S = 120.0
"""How long opening them all may take, and ending them."""

GIB = 1 << 30
MIB = 1 << 20
PLAIN_P99_MS = 20.0
_SPARE_FILES = 500
_FIELDS = {"deadline_ms": 60_000, "idle_timeout_ms": 60_000, "max_stream_ms": 3_600_000}
_SETTINGS = {"CROSSFADE_MAX_CONCURRENCY": str(MOST_AT_ONCE)}


class Held(NamedTuple):
    """What was seen: bytes of memory without, with and after the streams, how many were held and ended as they should.

    `alone` and `beside` are plain calls without and with them, `refused` an answer to one that did not begin.
    """

    empty: int
    full: int
    after: int
    begun: int
    ended: int
    alone: Taken
    beside: Taken
    refused: Answer | None


class Listener(Wire):
    """Has one stream: `begun` is true from its first event on, `ended` is its whole answer."""

    def __init__(self) -> None:
        super().__init__(lambda _, answer: self._settle(answer), lambda _: self._settle(None))
        self.begun = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body, the first above all."""
        super().on_body(body)
        if not self.begun.done():
            self.begun.set_result(self._parser.get_status_code() == 200)

    def _settle(self, answer: Answer | None) -> None:
        if not self.begun.done():
            self.begun.set_result(False)
        if not self.ended.done():
            self.ended.set_result(answer)


def measure(effort: Effort) -> Finding:
    """Hold as many streams as the limit of open files allows, up to 8,000, and call beside them."""
    chosen, port = cores(), free_port()
    with files_for(STREAMS) as count:
        backend = f"http://{HOST}:{port}"
        with (
            running([sys.executable, "-m", "benchmarks.idle", str(port)], port, core=chosen.load),
            service(chosen.measured, Split(backend, backend, fields=_FIELDS), _SETTINGS) as ours,
            on_core(chosen.load),
        ):
            held = uvloop.run(_hold(ours, count, effort, chosen))
    return _finding(held, count, effort)


@contextmanager
def files_for(streams: int) -> Iterator[int]:
    """Raise the limit of open files as far as so many streams need, and yield for how many it does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # the service has one file for the caller of each stream and one for its backend
    wanted = 2 * streams + _SPARE_FILES
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    try:
        yield min(streams, (limit - _SPARE_FILES) // 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def _hold(ours: Service, count: int, effort: Effort, chosen: Cores) -> Held:
    process = psutil.Process(ours.pid)
    alone = await _plain_calls(ours, effort, chosen)
    empty = process.memory_info().rss
    say(f"  opening {count:,} streams")
    listeners = await _opened(ours, count)
    refused = [each for each in listeners if not each.begun.result()]
    begun = count - len(refused)
    say(f"  {begun:,} streams are open")
    beside = await _plain_calls(ours, effort, chosen)
    full = process.memory_info().rss
    still = sum(not each.ended.done() for each in listeners)
    say(f"  {still:,} of them still are, in {full / MIB:,.0f} MiB; now they end")
    async with httpx.AsyncClient(headers=_headers(ours), timeout=WITHIN_S) as client:
        (await client.get(f"{ours.url}/route/{ROUTE}/end")).raise_for_status()
    await asyncio.wait([each.ended for each in listeners], timeout=WITHIN_S)
    ended = sum(_is_whole(each) for each in listeners)
    for each in listeners:
        each.close()
    why = next((each.ended.result() for each in refused if each.ended.done()), None)
    return Held(empty, full, process.memory_info().rss, min(begun, still), ended, alone, beside, why)


async def _opened(ours: Service, count: int) -> list[Listener]:
    """Open so many streams, each of another user, and wait for the first event of each."""
    address, gate = address_of(ours.url), asyncio.Semaphore(AT_A_TIME)
    headers = {TOKEN_HEADER: ours.token, USER_HEADER: "user-{user}"}
    requests = prepared(asdict(Request(f"{ours.url}/route/{ROUTE}/events", headers=headers, users=count)))

    async def opened(request: bytes) -> Listener:
        async with gate:
            loop = asyncio.get_running_loop()
            _, listener = await loop.create_connection(Listener, *address)
            listener.ask(request)
            await listener.begun
            return listener

    async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as group:
        opening = [group.create_task(opened(request)) for request in requests]
    return [each.result() for each in opening]


def _is_whole(listener: Listener) -> bool:
    answer = listener.ended.result() if listener.ended.done() else None
    return answer is not None and answer.body.startswith(FIRST) and answer.body.endswith(LAST)


async def _plain_calls(ours: Service, effort: Effort, chosen: Cores) -> Taken:
    request = Request(f"{ours.url}/route/{ROUTE}/query", headers=_headers(ours))
    return Taken([await asyncio.to_thread(drive, request, 1, effort.seconds, chosen.load) for _ in range(effort.pairs)])


def _headers(ours: Service) -> dict[str, str]:
    return {TOKEN_HEADER: ours.token, USER_HEADER: "user-1"}


def _finding(held: Held, count: int, effort: Effort) -> Finding:
    beside = held.beside.p99_ms
    bars = [
        Bar("RSS with the streams / 1 GiB", [held.full / GIB], 1, at_most=True),
        Bar(f"of {STREAMS:,} streams, not held", [STREAMS - held.begun], 0, at_most=True),
        Bar(f"of {STREAMS:,} streams, not whole at their end", [STREAMS - held.ended], 0, at_most=True),
        Bar(
            f"plain call meanwhile, p99 / {PLAIN_P99_MS:g} ms", [p99 / PLAIN_P99_MS for p99 in beside], 1, at_most=True
        ),
    ]
    rows = medians(
        {
            "without streams": {"MiB": [held.empty / MIB], **held.alone.columns},
            f"with {count:,} streams": {
                "MiB": [held.full / MIB],
                **held.beside.columns,
                "KiB a stream": [(held.full - held.empty) / 1024 / count],
            },
            "after their end": {"MiB": [held.after / MIB]},
        }
    )
    warnings = failed({"plain calls alone": held.alone, "plain calls beside": held.beside})
    if held.refused is not None:
        warnings.append(f"one that did not begin: {held.refused.status} {held.refused.body.decode()}")
    if count < STREAMS:
        warnings.append(f"the hard limit of open files (ulimit -Hn) is enough for {count:,} streams only")
    conditions = {**machine("uvicorn"), "load": generator(), "streams": count, **effort.told()}
    title = f"{count:,} idle streams, and plain calls one after the other beside them"
    return Finding("streams", title, conditions, rows, bars, warnings)
