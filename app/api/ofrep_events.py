"""`GET /ofrep/v1/events`: a stream of notices that flags may give something else now (SSE). Plain ASGI."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import orjson

from app.api.asgi import Receive as Receiving
from app.api.asgi import Scope, Send
from app.api.cross_origin import shared_with
from app.api.leaving import UnlessLeft
from app.api.ofrep_asking import caller_of
from app.api.ofrep_schemas import EVENT_PARAMETERS, NOTICE, REFUSALS
from app.auth import Principal
from app.errors import Code, ProblemError
from app.ofrep.streams import ChangeStreams, TooManyStreamsError
from app.ofrep.tokens import ExpiredTokenError, ForgedTokenError
from app.wiring import Services

RETRY_S = 3.0
"""How long a client waits before it comes again: longer than a process that stops still accepts connections."""

GAP_S = 0.25
"""How long after a notice the next one goes out at the earliest: what changes meanwhile is one notice."""

LAST_WORDS_S = 1.0
"""How long a stream may take to end: whoever reads nothing any more is left."""

HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-accel-buffering", b"no"),
]
HEARTBEAT = b": still here\n\n"

OPERATION: dict[str, Any] = {
    "tags": ["ofrep"],
    "summary": "Be told when to evaluate again",
    "description": "The URL comes from a bulk answer's `eventStreams`, with a token that is valid for one to two "
    "hours; a token of the role `evaluate` in a header does as well. Each event is a `message` whose data is "
    '`{"type": "refetchEvaluation", "etag": …, "lastModified": …}`. While no stream is free, a URL with a token '
    "answers what was missed and ends, `retry` saying when to look again.",
    "parameters": EVENT_PARAMETERS,
    "responses": {
        "200": {
            "description": "Events for as long as the stream lives.",
            "content": {"text/event-stream": {"schema": NOTICE}},
        },
        **REFUSALS,
    },
}


async def listen(services: Services, scope: Scope, receive: Receiving, send: Send, _name: str, _path: str) -> int:
    """Tell a listener of changes until he leaves, the stream has lived long enough, or the service stops.

    Raises ProblemError 401, 403, 503, and CallerLeftError.
    """
    token = next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("token", ())), None)
    listener = caller_of(services, scope) if token is None else _holder(services, token)
    streams = services.ofrep.streams
    headers = HEADERS + shared_with(services.settings, scope)
    begin = {"type": "http.response.start", "status": 200, "headers": headers}
    seen = next((value for name, value in scope["headers"] if name == b"last-event-id"), b"").decode("latin-1")
    try:
        with streams.opened() as life_s, UnlessLeft(receive, 0.0):
            await send(begin)
            await _within(life_s, _tell(streams, send, seen, lambda: _may_listen(services, listener)))
            await _within(LAST_WORDS_S, send({"type": "http.response.body", "body": b""}))
    except TooManyStreamsError:
        services.metrics.count_full_streams()
        if token is None:
            detail = f"{services.settings.ofrep_streams:,} change streams are open here already"
            raise ProblemError(503, Code.OVERLOADED, detail, headers={"Retry-After": "30"}) from None
        await send(begin)
        await send({"type": "http.response.body", "body": _all_at_once(streams, seen)})
    return 200


def _all_at_once(streams: ChangeStreams, seen: str) -> bytes:
    """Return a whole stream for a page that finds none free: what it has missed, and when it is to look again.

    No browser lets a page see why a stream was refused, and the web client then asks for everything once a second.
    """
    mark = streams.mark()
    return _retry(streams.away_s()) + (b"" if mark == seen else _notice(mark, streams.changed_at))


async def _within(seconds: float, doing: Awaitable[None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await doing


async def _tell(streams: ChangeStreams, send: Send, seen: str, may_listen: Callable[[], bool]) -> None:
    """Send a notice for each state that the listener has not `seen`, and a sign of life when there is none for long."""
    await _write(send, _retry(RETRY_S))
    while not streams.is_closing and may_listen():
        mark = streams.mark()
        if mark != seen:
            await _write(send, _notice(mark, streams.changed_at))
            seen = mark
            await asyncio.sleep(GAP_S)
        elif not await streams.news():
            await _write(send, HEARTBEAT)


def _retry(after_s: float) -> bytes:
    return b"retry: %d\n\n" % round(after_s * 1000)


def _notice(mark: str, changed_at: int) -> bytes:
    data = orjson.dumps({"type": "refetchEvaluation", "etag": mark, "lastModified": changed_at})
    return b"id: %s\nevent: message\ndata: %s\n\n" % (mark.encode(), data)


async def _write(send: Send, piece: bytes) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": True})


def _holder(services: Services, token: str) -> Principal:
    """Return whose token a URL came with: a browser cannot send headers with this."""
    try:
        return services.ofrep.tokens.read(token, services.live.state.tokens, services.clock.wall())
    except ExpiredTokenError:
        # the end of every URL, and no failed login
        detail = "this URL is over; evaluate the flags again, the answer has another"
        raise ProblemError(403, Code.FORBIDDEN, detail) from None
    except ForgedTokenError:
        raise ProblemError(401, Code.UNAUTHENTICATED, "the token in the URL is not valid") from None


def _may_listen(services: Services, listener: Principal) -> bool:
    """Say whether a listener's own token is still what it was when he came."""
    held = services.live.state.tokens.named(listener.name, services.clock.wall())
    return held is not None and held.principal == listener
