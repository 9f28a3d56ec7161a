"""A backend whose streams are idle: an event at once, a heartbeat now and then, and an end when it is asked for one.

Run as `python -m benchmarks.idle PORT`: `/events` is a stream, `/end` ends all of them, all else is answered whole.
"""

import asyncio
import sys
from functools import partial
from typing import cast

import uvloop

HEARTBEAT_S = 20.0
FIRST, LAST = b"data: first\n\n", b"data: last\n\n"
_BEAT = b": heartbeat\n\n"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Idler(asyncio.Protocol):
    """One connection; `streaming` holds those that have a stream."""

    _transport: asyncio.WriteTransport
    _next_beat: asyncio.TimerHandle | None = None

    def __init__(self, streaming: set["Idler"]) -> None:
        self._streaming = streaming

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer the request; it has come whole, since it is small."""
        path = data.split(b" ", 2)[1]
        if path == b"/events":
            self._streaming.add(self)
            self._transport.write(_HEAD + chunk(FIRST))
            self._beat_later()
            return
        if path == b"/end":
            for each in list(self._streaming):
                each.end()
        self._transport.write(_WHOLE)

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the stream."""
        self._forget()

    def end(self) -> None:
        """End the stream as it should be."""
        self._forget()
        self._transport.write(chunk(LAST) + chunk(b""))

    def _forget(self) -> None:
        self._streaming.discard(self)
        if self._next_beat is not None:
            self._next_beat.cancel()

    def _beat(self) -> None:
        self._transport.write(chunk(_BEAT))
        self._beat_later()

    def _beat_later(self) -> None:
        self._next_beat = asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat)


def chunk(data: bytes) -> bytes:
    """Return a piece of a body as chunked coding has it; the empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(port: int) -> None:
    """Answer until killed."""
    idler = partial(Idler, set())
    server = await asyncio.get_running_loop().create_server(idler, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
