"""A backend that costs next to nothing: whatever it is asked, it answers the same bytes, and the port in a header.

Run as `python -m benchmarks.upstream PORT…`. It takes each end of a head for a request, so it is for GET only.
"""

import asyncio
import sys
from functools import partial
from typing import cast

import uvloop

BODY = b'{"answer": "the same for everyone", "passages": [17, 4, 23, 42, 8], "model": "none", "took_ms": 0.01}'
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-port: %d\r\n\r\n%b"


def answer_of(port: int) -> bytes:
    """Return what is answered on a port."""
    return _ANSWER % (len(BODY), port, BODY)


class Answerer(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.WriteTransport

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request."""
        self._transport.write(self._answer * data.count(b"\r\n\r\n"))


async def serve(ports: list[int]) -> None:
    """Answer until killed."""
    loop = asyncio.get_running_loop()
    for port in ports:
        await loop.create_server(partial(Answerer, answer_of(port)), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve([int(port) for port in sys.argv[1:]]))
