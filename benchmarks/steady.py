"""Load at a constant rate, whatever the answers take: each call has its time, and its latency counts from there.

So a server that stops for a second is charged with every call that was due in that second (no coordinated omission).
Run as `python -m benchmarks.steady`, it reads a job as JSON from standard input and prints what came of it.
"""

import asyncio
import itertools
import json
import selectors
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

from benchmarks.generator import prepared
from benchmarks.processes import address_of
from benchmarks.report import quantile
from benchmarks.wire import Answer, Wire

PATIENCE_S = 15.0
"""How long the last answers are waited for."""


class Call(NamedTuple):
    """A request as it goes over the wire, and what tells whether its answer is right."""

    request: bytes
    is_right: Callable[[Answer], bool]


class Player:
    """Plays calls on that many connections; a call that finds all taken waits its turn, and its latency grows.

    `latencies_us` are of answers, `wrong` counts answers that are not right, `broken` calls without an answer.
    """

    def __init__(self, address: tuple[str, int], connections: int) -> None:
        self.latencies_us = array("I")
        self.wrong = self.broken = 0
        self.first_wrong: Answer | None = None
        self._address = address
        self._connections = connections
        self._open: set[Wire] = set()
        self._idle: list[Wire] = []
        self._on_the_way: dict[Wire, tuple[Call, float]] = {}
        self._waiting: deque[tuple[Call, float]] = deque()
        self._dialing: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._closed = False

    async def __aenter__(self) -> Self:
        for _ in range(self._connections):
            await self._dial()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        for wire in self._open:
            wire.close()
        for dialing in self._dialing:
            dialing.cancel()
        await asyncio.gather(*self._dialing, return_exceptions=True)

    async def at_rate(self, calls: Iterator[Call], per_second: float, seconds: float) -> None:
        """Start a call every 1 / `per_second` s for so many seconds, and wait for the answers."""
        began = time.perf_counter()
        for number in range(round(per_second * seconds)):
            due = began + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._start(next(calls), due)
        await self._all_answered()

    async def as_answered(self, calls: Iterator[Call], seconds: float) -> float:
        """Start a call whenever a connection is free, for so many seconds; return the answers a second."""
        before, began = len(self.latencies_us), time.perf_counter()
        while time.perf_counter() < began + seconds:
            while self._idle:
                self._start(next(calls), time.perf_counter())
            self._changed.clear()
            await self._changed.wait()
        answered = len(self.latencies_us) - before
        took_s = time.perf_counter() - began
        await self._all_answered()
        return answered / took_s

    def _start(self, call: Call, due: float) -> None:
        if not self._idle:
            self._waiting.append((call, due))
            return
        wire = self._idle.pop()
        self._on_the_way[wire] = (call, due)
        wire.ask(call.request)

    def _answered(self, wire: Wire, answer: Answer) -> None:
        if wire not in self._on_the_way:
            # too late: it counts as broken already
            wire.close()
            return
        call, due = self._on_the_way.pop(wire)
        self.latencies_us.append(int((time.perf_counter() - due) * 1e6))
        if not call.is_right(answer):
            self.wrong += 1
            self.first_wrong = self.first_wrong or answer
        self._free(wire)

    def _lost(self, wire: Wire) -> None:
        self._open.discard(wire)
        if self._on_the_way.pop(wire, None) is not None:
            self.broken += 1
        if wire in self._idle:
            self._idle.remove(wire)
        self._changed.set()
        if not self._closed:
            dialing = asyncio.ensure_future(self._dial())
            self._dialing.add(dialing)
            dialing.add_done_callback(self._dialing.discard)

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(lambda: Wire(self._answered, self._lost), *self._address)
        self._open.add(wire)
        self._free(wire)

    def _free(self, wire: Wire) -> None:
        if wire.is_open:
            self._idle.append(wire)
            if self._waiting:
                self._start(*self._waiting.popleft())
        self._changed.set()

    async def _all_answered(self) -> None:
        """Wait for what is on the way; what does not come in time is broken."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while self._on_the_way or self._waiting:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self.broken += len(self._on_the_way) + len(self._waiting)
            self._on_the_way.clear()
            self._waiting.clear()


def exact_loop() -> asyncio.AbstractEventLoop:
    """Return a loop whose timers are exact to microseconds: with `epoll` and in uvloop they are to a millisecond."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def drive(job: dict[str, Any]) -> dict[str, float]:
    """Do the job, and return how many calls were answered, in which quantiles of time, and how many failed."""
    calls = itertools.cycle([Call(request, _is_ok) for request in prepared(job)])
    async with Player(address_of(job["url"]), job["connections"]) as player:
        await player.at_rate(calls, job["rate"], job["seconds"])
    times = player.latencies_us or [0]
    return {
        "requests": len(player.latencies_us),
        "seconds": job["seconds"],
        "p50_us": quantile(times, 0.5),
        "p99_us": quantile(times, 0.99),
        "failures": player.wrong + player.broken,
    }


def _is_ok(answer: Answer) -> bool:
    return 200 <= answer.status < 400


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=exact_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(drive(json.load(sys.stdin)))) + "\n")
