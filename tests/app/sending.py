"""A caller of the route `r` who sends a long body piece by piece."""

import asyncio
import random

from tests.app.fronted import Heard, opened, written
from tests.faulty import chunk
from tests.service import RunningService

LONG_PATIENCE_S = 60
HALF = random.Random(7).randbytes(300_000)
OTHER_HALF = random.Random(8).randbytes(300_000)
BODY = HALF + OTHER_HALF
TO_THE_END = "Connection: close"
ANNOUNCED = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"


class Caller:
    """Somebody who sends a body piece by piece."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, framing: str) -> None:
        self.reader = reader
        self.writer = writer
        self._is_chunked = framing == CHUNKED

    async def send(self, piece: bytes) -> None:
        self.writer.write(chunk(piece) if self._is_chunked else piece)
        await self.writer.drain()

    async def end(self) -> Heard:
        """End the body, and return what comes back until the connection ends."""
        if self._is_chunked:
            self.writer.write(chunk(b""))
        return await self.answer()

    async def answer(self) -> Heard:
        async with asyncio.timeout(LONG_PATIENCE_S):
            got = await self.reader.read()
        self.writer.close()
        head, _, body = got.partition(b"\r\n\r\n")
        return Heard(int(head.split()[1]), head.decode("latin-1").lower(), body, was_reset=False)


async def calling(service: RunningService, framing: str = ANNOUNCED, *headers: str) -> Caller:
    """Begin a request that ends its connection."""
    reader, writer = await opened(service)
    writer.write(written("POST /route/r HTTP/1.1", TO_THE_END, framing, *headers))
    return Caller(reader, writer, framing)
