"""How long after its acknowledgement a write is in force in every process: each is asked until it decides anew."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from benchmarks.generator import prepared, whole_length
from benchmarks.processes import HOST
from benchmarks.replicas import LEGACY, MOVED, NEW, Replicas


class Spread(NamedTuple):
    """One write: milliseconds until every process had been seen to decide anew, and of the questions meanwhile."""

    ms: float
    questions_ms: Sequence[float]


class Asker:
    """A connection to one process, with one question at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, token: str) -> None:
        self._reader = reader
        self._writer = writer
        self._base = f"http://{HOST}:{port}"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._decision = self._request("POST", f"/routes/{MOVED}/decision", {"context": {"targetingKey": "user-1"}})

    @classmethod
    async def to(cls, port: int, token: str) -> Self:
        """Connect."""
        return cls(*await asyncio.open_connection(HOST, port), port, token)

    async def side(self) -> str:
        """Ask where a user belongs."""
        told: str = (await self._ask(self._decision))["backend"]
        return told

    async def move(self, percentage: int) -> None:
        """Change the percentage; on return it is acknowledged."""
        told = await self._ask(self._request("PUT", f"/flags/{MOVED}/rollout", {"percentage": percentage}))
        assert "default" in told, told

    def close(self) -> None:
        """Let go of the connection."""
        self._writer.close()

    def _request(self, method: str, path: str, body: Any) -> bytes:
        url = self._base + path
        job = {"url": url, "method": method, "headers": self._headers, "body": json.dumps(body), "users": 1}
        return prepared(job)[0]

    async def _ask(self, request: bytes) -> Any:
        self._writer.write(request)
        come = b""
        while (end := whole_length(come)) is None or len(come) < end:
            more = await self._reader.read(65_536)
            assert more, "the connection ended before the answer"
            come += more
        return json.loads(come[come.index(b"\r\n\r\n") + 4 :])


async def spreads(replicas: Replicas, writes: int) -> list[Spread]:
    """Move everyone to and fro, each time through the next process."""
    askers = [await Asker.to(port, replicas.token) for port in replicas.ports]
    took = []
    for number in range(writes):
        now_on = LEGACY if await askers[0].side() == NEW else NEW
        await askers[number % len(askers)].move(100 if now_on == NEW else 0)
        began = time.perf_counter()
        waits = await asyncio.gather(*(_until(asker, now_on) for asker in askers))
        took.append(Spread((time.perf_counter() - began) * 1000, [each for wait in waits for each in wait]))
    for asker in askers:
        asker.close()
    return took


async def _until(asker: Asker, wanted: str) -> list[float]:
    """Ask until the wanted side is the answer, and return how long each question took, in milliseconds."""
    took = []
    side = ""
    while side != wanted:
        began = time.perf_counter()
        side = await asker.side()
        took.append((time.perf_counter() - began) * 1000)
    return took
