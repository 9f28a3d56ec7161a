"""Ask the other side what a caller was told already: once, in a lane of its own, within a time of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from .call import Answer, Call, Headers, Send, SendError
from .causes import Cause
from .compare.reading import MOST_BYTES
from .hops import DEADLINE_HEADER, sent_headers
from .lanes import Ending, Lane
from .model import Backend
from .stays import Stay
from .streams import close

SHADOW_HEADER = b"x-crossfade-shadow"
"""Tells a backend that nobody waits for its answer, and that it may have no effect."""

_KEY_HEADER = b"idempotency-key"
_REPLACED = {SHADOW_HEADER, _KEY_HEADER, b"accept-encoding"}


class Reply(NamedTuple):
    """What one side said: `cause` is None when it answered well or refused the caller (4xx).

    `body` is empty beyond MOST_BYTES, where `is_too_large` is true. `seconds` run to the answer, or a stream's first
    byte.
    """

    cause: Cause | None
    status: int | None
    body: bytes
    encoding: str
    seconds: float
    is_too_large: bool = False


async def ask(
    lane: Lane, backend: Backend, call: Call, limit_s: float, send: Send, clock: Callable[[], float]
) -> Reply:
    """Ask one backend once, and read its whole answer, however it comes, within `limit_s` seconds.

    A refused permit, SendError, 5xx and 429 are replies with a cause. Cancellation passes through, and counts neither
    for nor against the backend.
    """
    began = clock()
    permit = lane.enter(began)
    if isinstance(permit, Cause):
        return Reply(permit, None, b"", "", 0.0)
    stay = Stay(lane, permit, began, clock)
    try:
        async with asyncio.timeout(limit_s):
            reply = await _read(backend, call, send, stay)
    except TimeoutError:
        return _failed(stay, Cause.TIMEOUT)
    except SendError as error:
        return _failed(stay, error.cause)
    except BaseException:
        stay.end(Ending.NEUTRAL)
        raise
    stay.end(Ending.OK if reply.cause is None else Ending.FAILED)
    return reply


def shadow_call(call: Call, key: str, limit_s: float) -> Call:
    """Return a call as the other side is asked it: marked, with a key, and for an answer without a content coding."""
    # what a Connection header lists stays here now, or it would take the marks along
    kept = [header for header in sent_headers(call.headers) if header[0] not in _REPLACED]
    marks = [
        (SHADOW_HEADER, b"1"),
        (_KEY_HEADER, key.encode()),
        (DEADLINE_HEADER, b"%d" % max(1, limit_s * 1000)),
        (b"accept-encoding", b"identity"),
    ]
    return Call(call.method, call.path, kept + marks, call.body, limit_s)


def is_shadow(headers: Headers) -> bool:
    """Say whether a call is a shadow itself, which is not shadowed again."""
    return any(name == SHADOW_HEADER for name, _ in headers)


def encoding_of(headers: Headers) -> str:
    """Return the content coding of an answer, empty for none."""
    return ", ".join(value.decode("latin-1") for name, value in headers if name == b"content-encoding").lower()


def failure_of(status: int) -> Cause | None:
    """Say whether a status means that a backend failed."""
    return Cause.STATUS if status >= 500 or status == 429 else None


async def _read(backend: Backend, call: Call, send: Send, stay: Stay) -> Reply:
    answer = await send(backend, call)
    seconds = stay.attempt(None, answer.status).elapsed_ms / 1000
    body = await _whole(answer)
    encoding = encoding_of(answer.headers)
    return Reply(failure_of(answer.status), answer.status, body or b"", encoding, seconds, body is None)


async def _whole(answer: Answer) -> bytes | None:
    """Read an answer to its end, or return None once it is too large to be compared."""
    if answer.rest is None:
        return answer.body if len(answer.body) <= MOST_BYTES else None
    try:
        return await _gathered(answer.body, answer.rest)
    finally:
        await close(answer.rest)


async def _gathered(first: bytes, rest: AsyncIterator[bytes]) -> bytes | None:
    pieces, size = [first], len(first)
    async for piece in rest:
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            return None
    return b"".join(pieces)


def _failed(stay: Stay, cause: Cause) -> Reply:
    seconds = stay.attempt(cause, None).elapsed_ms / 1000
    stay.end(Ending.FAILED)
    return Reply(cause, None, b"", "", seconds)
