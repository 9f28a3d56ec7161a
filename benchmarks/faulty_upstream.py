"""A backend that does its job badly, as told: run as `python -m benchmarks.faulty_upstream PORT MODE`."""

import asyncio
import sys
from typing import cast

import uvloop

from benchmarks.upstream import BODY, answer_of

SLOW_S = 0.05
_ANSWER = answer_of(0)
MODES = {
    "answers": _ANSWER,
    "lies": _ANSWER.replace(BODY, BODY.replace(b"17", b"99")),
    "garbage": b"\x00\xff this is no HTTP\r\n\r\n" * 50,
    "slow": _ANSWER,
    "hangs": b"",
    "crashes": b"",
}


class Faulty(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.WriteTransport

    def __init__(self, mode: str) -> None:
        self._mode = mode

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Do what the mode says about each request."""
        for _ in range(data.count(b"\r\n\r\n")):
            if self._mode == "crashes":
                self._transport.abort()
            elif self._mode == "slow":
                asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, MODES["slow"])
            else:
                self._transport.write(MODES[self._mode])


async def serve(port: int, mode: str) -> None:
    """Go on until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: Faulty(mode), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
