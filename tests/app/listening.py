"""Reads a stream of change notices over a real socket, as a browser's EventSource does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

PATIENCE_S = 20


@dataclass
class Listener:
    """An open stream: its status and headers, and what has come of it."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    ids: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    async def notice(self) -> dict[str, Any]:
        """Return the data of the next event; what else comes is kept in `others`."""
        event: dict[str, str] = {}
        while (line := await self.line()) is not None:
            name, _, value = line.partition(": ")
            if line == "" and "data" in event:
                assert event["event"] == "message"
                self.ids.append(event["id"])
                told: dict[str, Any] = orjson.loads(event["data"])
                return told
            event[name] = value
            if name in {"", "retry"}:
                self.others.append(line)
        raise EOFError

    async def line(self) -> str | None:
        """Return the next line without its end, None at the clean end of the stream."""
        while True:
            line = await asyncio.wait_for(self.reader.readline(), PATIENCE_S)
            if line == b"0\r\n":
                return None
            assert line, "the stream broke off"
            if not line.endswith(b"\r\n"):
                return line.decode().rstrip("\n")

    async def ended(self) -> None:
        """Read until the clean end; a line that is no part of a notice is kept in `others`."""
        while (line := await self.line()) is not None:
            if line.startswith("retry: "):
                self.others.append(line)


@asynccontextmanager
async def listening(url: str, path: str, **headers: str) -> AsyncIterator[Listener]:
    """Open a stream and yield it when its head is here; header names are given with underscores."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{named}\r\n".encode())
    try:
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)).decode()
        first, *lines = head.strip().split("\r\n")
        told = dict(line.split(": ", 1) for line in lines)
        yield Listener(int(first.split()[1]), told, reader)
    finally:
        writer.close()
