"""A backend that costs next to nothing: whatever it is asked, it answers the same bytes.

Run as `python -m benchmarks.upstream PORT`. It takes each end of a head for a request, so it is for GET only.
"""

import asyncio
import sys
from typing import cast

import uvloop

BODY = b'{"answer": "the same for everyone", "passages": [17, 4, 23, 42, 8], "model": "none", "took_ms": 0.01}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Answerer(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request."""
        self._transport.write(ANSWER * data.count(b"\r\n\r\n"))


async def serve(port: int) -> None:
    """Answer until killed."""
    server = await asyncio.get_running_loop().create_server(Answerer, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
