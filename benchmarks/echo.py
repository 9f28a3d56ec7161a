"""A backend that tells who asked it what, so that every answer can be checked: whole ones, streams and failures.

Run as `python -m benchmarks.echo NAME PORT NAME PORT…`. A path of `/fail/new` fails at the backend `new` with a 503,
one of `/stream` is answered in events with pauses between them, every other one whole.
"""

import asyncio
import hashlib
import sys
from functools import partial
from typing import cast

import uvloop
from httptools import HttpRequestParser

from benchmarks.idle import chunk

USER_HEADER = b"x-user-id"
EVENTS = 4
PAUSE_S = 0.005
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_WHOLE = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


def whole(side: bytes, user: bytes, path: bytes, body: bytes) -> bytes:
    """Return the body of a whole answer: from 0.2 to 8 KiB, as the user has it."""
    digest = hashlib.sha256(b"\n".join((side, user, path, body))).hexdigest().encode()
    often = 1 + int(digest[:2], 16) // 2
    return b'{"side":"%b","user":"%b","path":"%b","digest":"%b"}' % (side, user, path, digest * often)


def event(side: bytes, user: bytes, number: int) -> bytes:
    """Return one event of a stream."""
    digest = hashlib.sha256(b"%b\n%b\n%d" % (side, user, number)).hexdigest().encode()
    return b"id: %d\ndata: %b %b %b\n\n" % (number, side, user, digest)


def stream(side: bytes, user: bytes) -> bytes:
    """Return the body of a whole stream."""
    return b"".join(event(side, user, number) for number in range(EVENTS))


class Echo(asyncio.Protocol):
    """One connection of one side."""

    _transport: asyncio.WriteTransport

    def __init__(self, side: bytes) -> None:
        self._side = side
        self._parser = HttpRequestParser(self)
        self._forget()

    def _forget(self) -> None:
        self._path = self._user = self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Read on in the request."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Note where it goes."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note who asks."""
        if name.lower() == USER_HEADER:
            self._user = value

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        if self._path == b"/stream":
            self._transport.write(_STREAM)
            self._tell(self._user, 0)
        else:
            body = whole(self._side, self._user, self._path, self._body)
            fails = self._path == b"/fail/" + self._side
            status = b"503 Service Unavailable" if fails else b"200 OK"
            self._transport.write(_WHOLE % (status, len(body), body))
        self._forget()

    def _tell(self, user: bytes, number: int) -> None:
        """Write the stream from this event on."""
        if number == EVENTS:
            self._transport.write(chunk(b""))
            return
        self._transport.write(chunk(event(self._side, user, number)))
        asyncio.get_running_loop().call_later(PAUSE_S, self._tell, user, number + 1)


async def serve(sides: dict[str, int]) -> None:
    """Answer until killed."""
    loop = asyncio.get_running_loop()
    for name, port in sides.items():
        await loop.create_server(partial(Echo, name.encode()), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve({name: int(port) for name, port in zip(sys.argv[1::2], sys.argv[2::2], strict=True)}))
