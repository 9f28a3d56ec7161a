"""A backend's answer on its way to the caller: whole, or piece by piece as it comes."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum

import orjson
from structlog.stdlib import BoundLogger

from app.api.asgi import Receive, Send
from app.api.leaving import until_left
from app.errors import Code
from routers.call import Answer, Headers, SendError
from routers.causes import Cause
from routers.streams import close


class Passing(StrEnum):
    """How an answer reached its caller: `left`, he did not wait for all of it."""

    WHOLE = "whole"
    BROKEN = "broken"
    LEFT = "left"


_FIXED = {b"content-length", b"content-encoding"}
"""Headers of a body that takes nothing in: it would pass for the backend's own, or for damage."""


async def pass_whole(send: Send, answer: Answer, marks: Headers) -> None:
    """Write an answer that is all here."""
    await send({"type": "http.response.start", "status": answer.status, "headers": _told(answer, marks)})
    await send({"type": "http.response.body", "body": answer.body})


async def pass_on(
    receive: Receive, send: Send, answer: Answer, rest: AsyncIterator[bytes], marks: Headers, bound: BoundLogger
) -> Passing:
    """Pass the pieces on as they come, until the end, a break, or until the caller leaves; say which it was.

    A break is told in-band where the stream has a form for it (SSE), and the answer is left incomplete, so that
    nobody takes it for whole.
    """
    headers = _told(answer, marks)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    pump = _Pump(send, answer, bound)
    pumping = asyncio.ensure_future(pump.run(rest))
    watch = asyncio.ensure_future(until_left(receive))
    try:
        await asyncio.wait({pumping, watch}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        pumping.cancel()
        bound.warning("stream cut off", why="the service stops, and the drain limit is over")
        await pump.tell_break(Cause.INTERRUPTED)
        return Passing.BROKEN
    finally:
        watch.cancel()
        pumping.cancel()
        await asyncio.gather(watch, pumping, return_exceptions=True)
        await close(rest)
    if pumping.cancelled():
        return Passing.LEFT
    return Passing.WHOLE if pumping.result() else Passing.BROKEN


def _told(answer: Answer, marks: Headers) -> Headers:
    """Drop the backend's Date, which this server writes itself, and marks that a backend made up."""
    kept = [header for header in answer.headers if header[0] != b"date" and not header[0].startswith(b"x-crossfade-")]
    return kept + marks


class _Pump:
    """Writes the pieces of a stream, and how it broke."""

    def __init__(self, send: Send, answer: Answer, bound: BoundLogger) -> None:
        self._send = send
        self._answer = answer
        self._bound = bound
        self._last = answer.body

    async def run(self, rest: AsyncIterator[bytes]) -> bool:
        """Write everything until the end or a break; say whether it was the end."""
        await self._write(self._answer.body)
        try:
            async for piece in rest:
                self._last = piece
                await self._write(piece)
        except SendError as error:
            self._bound.warning("stream broke", cause=error.cause, detail=error.detail)
            await self.tell_break(error.cause)
            return False
        await self._send({"type": "http.response.body", "body": b""})
        return True

    async def tell_break(self, cause: str) -> None:
        """Write the event of a break, if the body is one of events.

        An event that is cut in the middle is not ended before, but becomes part of the error: nobody sees half of it.
        """
        if not _takes_events(self._answer):
            return
        line_end = b"" if self._last.endswith((b"\n", b"\r")) else b"\n"
        event = b"event: error\ndata: " + orjson.dumps({"code": Code.ROUTE_FAILED, "cause": cause}) + b"\n\n"
        await self._write(line_end + event)

    async def _write(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})


def _takes_events(answer: Answer) -> bool:
    is_sse = any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in answer.headers)
    return is_sse and not any(name in _FIXED for name, _ in answer.headers)
