"""A backend connection without a network."""

import asyncio

from app.backends.connection import Connection


class Wire(asyncio.Transport):
    """A transport that notes what is written and whether it was hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.gone = self.paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.gone

    def abort(self) -> None:
        self.gone = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def connected() -> tuple[Connection, Wire]:
    """Return a connection and the transport below it."""
    wire = Wire()
    each = Connection(asyncio.get_running_loop(), lambda _: None)
    each.connection_made(wire)
    return each, wire
