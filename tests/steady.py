"""A load balancer with steady traffic: keep-alive connections, a fixed rate, nothing sent twice."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

PATIENCE_S = 10


@dataclass
class Steady:
    """Callers of one path, each on a connection of its own to one of the instances.

    After `Connection: close`, or when nobody listens, a caller goes to the next instance; `lost` tells every request
    that was sent and had no whole answer.
    """

    ports: Sequence[int]
    path: str = "/healthz"
    interval_s: float = 0.01
    answers: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    is_over: bool = False

    async def run(self, callers: int) -> None:
        """Call until it is over."""
        turns = itertools.cycle(self.ports)
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._call(turns))

    async def _call(self, turns: Iterator[int]) -> None:
        while not self.is_over:
            reader, writer = await self._connected(turns)
            stays = True
            while stays and not self.is_over:
                stays = await self._ask(reader, writer)
                await asyncio.sleep(self.interval_s)
            writer.close()

    async def _connected(self, turns: Iterator[int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", next(turns))
            except ConnectionRefusedError:
                continue

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send one request, and say whether the connection may be used once more."""
        if reader.at_eof():
            self.answers["closed while idle"] += 1
            return False
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(f"GET {self.path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = head.partition("content-length: ")[2].partition("\r\n")[0]
                await reader.readexactly(int(length))
        except (OSError, EOFError, TimeoutError) as error:
            self.lost.append(repr(error))
            return False
        self.answers[head.split()[1]] += 1
        return "connection: close" not in head
