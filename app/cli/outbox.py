"""Answers of one turn of the loop, each in one write and all of them together.

A write is a system call, a TCP segment and, the dearest, a wake-up of whoever waits for it. The web server makes two
for each answer, head and body, with other work in between; here a turn's answers leave side by side, one write each.
"""

import asyncio
from typing import Any, cast

from app.cli.heads import BoundedProtocol

MAX_ANSWERS = 32
"""How many answers wait for each other at most, so that no caller waits long for the answers of others."""

MAX_BYTES = 65_536
"""How much of one connection waits at most; flow control begins below, where it is written."""


class Outbox:
    """What is to be written at the next turn of one loop."""

    def __init__(self) -> None:
        self._waiting: list[HeldTransport] = []

    def add(self, transport: "HeldTransport") -> None:
        """Let a transport write at the next turn, or now when many wait."""
        waiting = self._waiting
        if not waiting:
            asyncio.get_running_loop().call_soon(self.empty)
        waiting.append(transport)
        if len(waiting) == MAX_ANSWERS:
            self.empty()

    def empty(self) -> None:
        """Let every transport write."""
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.flush()


class HeldTransport(asyncio.Transport):
    """A connection's transport that holds what is written until its outbox is emptied, it is closed, or it is much."""

    def __init__(self, below: asyncio.Transport, outbox: Outbox) -> None:
        super().__init__()
        self._below = below
        self._outbox = outbox
        self._held = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hold the data, after what is held already."""
        waits = bool(self._held)
        self._held += data
        if len(self._held) > MAX_BYTES:
            self.flush()
        elif not waits:
            self._outbox.add(self)

    def flush(self) -> None:
        """Write what is held, unless the caller has gone."""
        held, self._held = self._held, b""
        # a closed transport of uvloop's raises, and other callers' answers are waiting behind this one
        if held and not self._below.is_closing():
            self._below.write(held)

    def close(self) -> None:
        """Write what is held, and close."""
        self.flush()
        self._below.close()

    def abort(self) -> None:
        """Close at once."""
        self._held = b""
        self._below.abort()

    def is_closing(self) -> bool:
        """Say whether the transport is closed or will be."""
        return self._below.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport below knows."""
        return self._below.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol."""
        self._below.set_protocol(protocol)

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._below.resume_reading()


def held_protocol(bytes_of_head: int, seconds_of_head: float) -> type[BoundedProtocol]:
    """Return uvicorn's protocol with bounds of a head, and with one outbox for all connections of a server."""
    outbox = Outbox()

    class HeldProtocol(BoundedProtocol):
        max_head_bytes = bytes_of_head
        head_timeout_s = seconds_of_head

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # uvloop's transports are none of asyncio's classes
            super().connection_made(HeldTransport(cast(asyncio.Transport, transport), outbox))

    return HeldProtocol
