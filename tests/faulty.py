"""A raw HTTP server that does its job well or badly, as told, byte by byte."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto


class Do(Enum):
    """What a backend can do besides writing bytes: nothing until the caller hangs up, close, reset."""

    HANG = auto()
    CLOSE = auto()
    RESET = auto()


Turn = Sequence[bytes | float | Do]
"""What is done about one request, in order: bytes are written, a float is waited for in seconds."""

LINES = b"HTTP/1.1 200 OK\r\n"
CHUNKED = LINES + b"content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
SSE = LINES + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def whole(
    body: bytes = b'{"from": "here"}', *more: bytes, status: bytes = b"200 OK", length: int | None = None
) -> bytes:
    """Return an answer with a Content-Length, which is wrong if you say so, and more header lines."""
    told = len(body) if length is None else length
    lines = [b"HTTP/1.1 " + status, b"content-type: application/json", b"content-length: %d" % told, *more]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    """Return one piece of a chunked body; the empty one ends it."""
    return b"%x\r\n%s\r\n" % (len(data), data)


OK: Turn = [whole()]
HANGS: Turn = [Do.HANG]
HANGS_AFTER_HEADERS: Turn = [whole(b"", length=10), Do.HANG]
HANGS_IN_MID_ANSWER: Turn = [whole(b'{"half"', length=100), Do.HANG]
CLOSES_BEFORE_ANSWERING: Turn = [Do.CLOSE]
RESETS_BEFORE_ANSWERING: Turn = [Do.RESET]
CLOSES_IN_MID_ANSWER: Turn = [whole(b'{"half"', length=100), Do.CLOSE]
RESETS_IN_MID_ANSWER: Turn = [whole(b'{"half"', length=100), Do.RESET]
CLOSES_IN_MID_HEADERS: Turn = [b"HTTP/1.1 200 OK\r\ncontent-le", Do.CLOSE]
ERROR: Turn = [whole(b'{"error": 1}', status=b"500 Internal Server Error")]
OVERLOADED: Turn = [whole(b"{}", status=b"429 Too Many Requests")]
GARBAGE: Turn = [b"\x00\x01 this is no HTTP \xff\r\n\r\n"]
GARBAGE_JSON: Turn = [whole(b'{"cut": ')]
SWITCHES: Turn = [b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\nhello"]
STREAM: Turn = [CHUNKED + chunk(b"one "), 0.01, chunk(b"two "), 0.01, chunk(b"three") + chunk(b"")]
STREAM_RESETS: Turn = [CHUNKED + chunk(b"one "), 0.01, chunk(b"two "), Do.RESET]
STREAM_CLOSES: Turn = [CHUNKED + chunk(b"one "), 0.01, Do.CLOSE]
STREAM_HANGS: Turn = [CHUNKED + chunk(b"one "), Do.HANG]
STREAM_TURNS_TO_GARBAGE: Turn = [CHUNKED + chunk(b"one "), 0.01, b"not hex\r\nat all\r\n", Do.HANG]
DRIPS: Turn = [whole(b"", length=5), *[part for byte in b"drips" for part in (0.005, bytes([byte]))]]
REDIRECTS: Turn = [whole(b"", b"location: http://127.0.0.1:1/elsewhere", status=b"302 Found")]


class Faulty:
    """A running server: its address, every request it read, whether there was any, and how many connections came."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self.connections = 0
        self.url = ""
        self._turns = turns
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._tasks)

    @property
    def heads(self) -> list[str]:
        """The request lines and headers, as text."""
        return [request.partition(b"\r\n\r\n")[0].decode("latin-1") for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, in turn with those of the others."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while not writer.is_closing():
                self.requests.append(await _read_request(reader))
                self.asked.set()
                turn = self._turns[min(len(self.requests), len(self._turns)) - 1]
                await _take(turn, reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self._tasks.discard(task)

    async def stop(self) -> None:
        """Hang up on everybody."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def faulty(*turns: Turn, tls: ssl.SSLContext | None = None) -> AsyncIterator[Faulty]:
    """Run a server that takes one turn per request, and the last one for ever."""
    backend = Faulty(turns)
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()
    backend.url = f"{'http' if tls is None else 'https'}://{host}:{port}"
    try:
        yield backend
    finally:
        server.close()
        await backend.stop()
        await server.wait_closed()


def closed_port() -> str:
    """Return the address of a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """Give the address of a host that never completes a connection, as one does that has gone."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


async def _take(turn: Turn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for step in turn:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, float):
            await asyncio.sleep(step)
        else:
            await _do(step, reader, writer)


async def _do(step: Do, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if step is Do.HANG:
        await reader.read()
    if step is Do.RESET:
        # what was written has to be gone before, or the reset would take it along
        await asyncio.sleep(0.01)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()
