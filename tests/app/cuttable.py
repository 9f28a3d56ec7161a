"""A line to a server that can be cut and healed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

HOST = "127.0.0.1"


class Line:
    """Carries bytes between a port of its own and a server's; while it is cut, connections are closed at once."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._ends: set[asyncio.StreamWriter] = set()
        self.is_cut = False
        self.port = 0

    def cut(self) -> None:
        """Break every connection, and let no other be made."""
        self.is_cut = True
        for end in [*self._ends]:
            end.transport.abort()

    def heal(self) -> None:
        """Let new connections through."""
        self.is_cut = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        if self.is_cut:
            writer.transport.abort()
            return
        answers, questions = await asyncio.open_connection(HOST, self._server_port)
        both = {writer, questions}
        self._ends |= both
        try:
            await asyncio.gather(_pump(reader, questions), _pump(answers, writer))
        finally:
            self._ends -= both


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
    sink.close()


@asynccontextmanager
async def line_to(server_port: int) -> AsyncIterator[Line]:
    """Lay a line for a while."""
    line = Line(server_port)
    async with await asyncio.start_server(line.carry, HOST, 0) as server:
        line.port = server.sockets[0].getsockname()[1]
        yield line
        line.cut()
