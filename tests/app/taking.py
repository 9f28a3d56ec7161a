"""A backend that takes uploads as they come, and does with them as it is told."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.faulty import whole


class Arriving:
    """One request while it arrives: its head, and what has come of its body."""

    def __init__(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self.body = bytearray()
        self._reader = reader
        self._writer = writer

    async def take(self, size: int) -> None:
        """Read on until this much of the body has come, or all of it."""
        while len(self.body) < size and (piece := await self._piece(size - len(self.body))):
            self.body += piece

    async def take_all(self) -> None:
        """Read the body to its end, which is the one that its head announces."""
        length = self._announced()
        await self.take(1 << 40 if length is None else length)

    async def answer(self, answer: bytes) -> None:
        """Write bytes."""
        self._writer.write(answer)
        await self._writer.drain()

    async def hang(self) -> None:
        """Do nothing until the other side hangs up; what still comes is thrown away."""
        while await self._reader.read(65_536):
            pass

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    def _announced(self) -> int | None:
        lines = self.head.lower().split("\r\n")
        return next((int(line[15:]) for line in lines if line.startswith("content-length:")), None)

    async def _piece(self, most: int) -> bytes:
        if self._announced() is not None:
            return await self._reader.read(most) or _broken_off()
        size = int(await self._reader.readline() or _broken_off(), 16)
        return (await self._reader.readexactly(size + 2))[:-2]


def _broken_off() -> bytes:
    raise ConnectionError("the upload broke off")


def digest(body: bytes) -> bytes:
    """Return what a body is known by, as JSON."""
    return b'"%b"' % hashlib.sha256(body).hexdigest().encode()


Play = Callable[[Arriving], Awaitable[None]]
"""What a backend does about one request."""


async def takes_all(arriving: Arriving) -> None:
    """Answer with the digest of the whole body."""
    await arriving.take_all()
    await arriving.answer(whole(digest(arriving.body)))


def answers_after(size: int, answer: bytes) -> Play:
    """Return a play that answers before the end of the body."""

    async def play(arriving: Arriving) -> None:
        await arriving.take(size)
        await arriving.answer(answer)
        await arriving.hang()

    return play


def closes_after(size: int) -> Play:
    """Return a play that hangs up before the end of the body."""

    async def play(arriving: Arriving) -> None:
        await arriving.take(size)
        arriving.close()

    return play


async def only_reads(arriving: Arriving) -> None:
    """Take the whole body, and give no answer."""
    await arriving.take_all()
    await arriving.hang()


class Taker:
    """A running backend: its address, its requests, how many connections came and how many are open."""

    def __init__(self, plays: tuple[Play, ...]) -> None:
        self.url = ""
        self.requests: list[Arriving] = []
        self.connections = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self._plays = plays

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(Arriving(head.decode("latin-1"), reader, writer))
                play = self._plays[min(len(self.requests), len(self._plays)) - 1]
                await play(self.requests[-1])
        writer.close()
        self.tasks.discard(task)


@asynccontextmanager
async def taking(*plays: Play) -> AsyncIterator[Taker]:
    """Run a backend that plays one play for each request, and the last one for ever."""
    backend = Taker(plays or (takes_all,))
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    backend.url = f"http://{host}:{port}"
    try:
        yield backend
    finally:
        server.close()
        for task in list(backend.tasks):
            task.cancel()
        await asyncio.gather(*backend.tasks, return_exceptions=True)
        await server.wait_closed()
