"""A line to a server, which can be cut, and which can swallow what it is given until it is healed."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

from tests.chaos.connection import HOST

AT_ONCE = struct.pack("ii", 1, 0)
"""The linger option that ends a connection with a reset."""


class Proxy:
    """Listens on a port of its own and carries bytes to and from the server's."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._lines: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self.port = 0

    async def listen(self) -> Self:
        """Accept connections, on the same port as before."""
        self._flowing.set()
        self._listener = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def cut(self) -> None:
        """Reset every connection and refuse new ones."""
        assert self._listener is not None
        self._listener.close()
        for end in [*self._ends]:
            _reset(end)

    def swallow(self) -> None:
        """Go on accepting connections, but hold back whatever comes: to both sides the other one falls silent.

        What is held back arrives when the line is healed, as packets that were lost are sent again.
        """
        self._flowing.clear()

    async def heal(self) -> None:
        """Carry as if nothing had been."""
        self._flowing.set()
        if self._listener is None or not self._listener.is_serving():
            await self.listen()

    async def close(self) -> None:
        """End every connection and listen no more."""
        self.cut()
        self._flowing.set()
        await asyncio.gather(*self._lines)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        line = asyncio.create_task(self._carry(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        ends = {writer}
        try:
            answers, questions = await asyncio.open_connection(HOST, self._server_port)
            ends.add(questions)
            self._ends.add(questions)
            await asyncio.gather(self._pump(reader, questions), self._pump(answers, writer))
        except OSError:
            _reset(writer)
        finally:
            self._ends -= ends

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                await self._flowing.wait()
                sink.write(data)
                await sink.drain()
        await self._flowing.wait()
        sink.close()


def _reset(end: asyncio.StreamWriter) -> None:
    if not end.is_closing():
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        end.transport.abort()


@asynccontextmanager
async def proxy_before(server_port: int) -> AsyncIterator[Proxy]:
    """Run a proxy until the end of the block."""
    proxy = await Proxy(server_port).listen()
    try:
        yield proxy
    finally:
        await proxy.close()
