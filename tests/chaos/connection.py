"""HTTP/1.1 as a load needs it: one request in flight on a connection, and none sent twice."""

import asyncio
import json
from typing import Any, NamedTuple, Self

from tests.chaos.judge import Line

HOST = "127.0.0.1"


class BrokenError(Exception):
    """The connection ended before the answer was whole; without a line there was none."""

    def __init__(self, why: object, line: Line | None = None) -> None:
        super().__init__(str(why))
        self.line = line


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class Connection:
    """An open connection to a replica, and so to one of its workers; `asked` is how many times it was used."""

    def __init__(self, replica: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.line = Line(replica, writer.get_extra_info("sockname")[1])
        self.asked = 0
        self._reader = reader
        self._writer = writer

    @classmethod
    async def to(cls, replica: int, port: int) -> Self:
        """Connect. Raises BrokenError."""
        try:
            return cls(replica, *await asyncio.open_connection(HOST, port))
        except OSError as error:
            raise BrokenError(f"replica {replica}: {error}") from error

    @property
    def is_open(self) -> bool:
        """Whether nothing is known against asking here."""
        return not (self._reader.at_eof() or self._reader.exception() or self._writer.is_closing())

    async def ask(self, request: bytes) -> Answer:
        """Send a request and read its answer. Raises BrokenError."""
        self.asked += 1
        try:
            self._writer.write(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            return Answer(int(head[9:12]), await self._reader.readexactly(_length(head)))
        except (OSError, asyncio.IncompleteReadError) as error:
            raise BrokenError(f"{type(error).__name__}: {error}", self.line) from error

    def close(self) -> None:
        """Let go of it at once."""
        self._writer.transport.abort()


def request(method: str, path: str, token: str, body: Any = None, **headers: str) -> bytes:
    """Return a request as it goes over the wire; header names are given with underscores."""
    content = b"" if body is None else json.dumps(body).encode()
    named = {"Host": HOST, "Authorization": f"Bearer {token}", "Content-Length": f"{len(content)}"}
    named |= {"Content-Type": "application/json"} if content else {}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode() + content


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
