"""What plain ASGI endpoints share: reading a body, reading a caller's attributes, writing an answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeVar

import orjson

from app.errors import Code, ProblemError

Result = TypeVar("Result")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PREFIX = "crossfade.prefix"
"""Where the shell leaves what it took off the path, `/api`, in the ASGI scope."""

JSON_HEADERS = [(b"content-type", b"application/json")]


class CallerLeftError(Exception):
    """The caller closed the connection before its request was whole."""


async def read_body(receive: Receive, limit: int, body: bytes = b"") -> bytes:
    """Return the whole request body after what is here of it. Raises ProblemError 413, and CallerLeftError."""
    while True:
        message = await receive()
        body += piece_of(message)
        if len(body) > limit:
            raise too_large(limit)
        if not message.get("more_body", False):
            return body


def piece_of(message: Message) -> bytes:
    """Return the piece of a body. Raises CallerLeftError for the message that no more will come."""
    if message["type"] == "http.disconnect":
        raise CallerLeftError
    piece: bytes = message.get("body", b"")
    return piece


def too_large(limit: int) -> ProblemError:
    """Return the answer to a body of more than `limit` bytes."""
    return ProblemError(413, Code.BODY_TOO_LARGE, f"a request body may have {limit:,} bytes at most")


def too_slow(seconds: float) -> ProblemError:
    """Return the answer to a body that took longer than `seconds`."""
    detail = f"the request body was not here within {seconds:g} s"
    return ProblemError(408, Code.BODY_TOO_SLOW, detail, headers={"Connection": "close"})


async def in_time(reading: Awaitable[Result], seconds: float) -> Result:
    """Return what is read of a body, from callers who are not trusted to send it. Raises ProblemError 408 too."""
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        raise too_slow(seconds) from None


async def read_body_in_time(receive: Receive, limit: int, seconds: float) -> bytes:
    """Return the whole request body. Raises ProblemError 413 and 408, and CallerLeftError."""
    return await in_time(read_body(receive, limit), seconds)


def parsed(body: bytes, max_depth: int) -> Any:
    """Return the JSON of a body. Raises ProblemError 400 when it is none, or nested deeper than `max_depth`."""
    if body.count(b"[") + body.count(b"{") > max_depth and deeper_than(body, max_depth):
        raise ProblemError(400, Code.JSON_TOO_DEEP, f"JSON may be nested {max_depth} deep at most")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, Code.MALFORMED_JSON, f"the body is not JSON: {error}") from error


def refuse_twice(body: bytes) -> None:
    """Raise ProblemError 400 when an object of a body that is JSON has a key twice: nobody knows which one is meant."""
    json.loads(body, object_pairs_hook=_each_once, parse_int=len, parse_float=len)


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ProblemError(400, Code.MALFORMED_JSON, f'the key "{key[:128]}" is there twice')
        seen.add(key)


def deeper_than(body: bytes, max_depth: int) -> bool:
    """Say whether the brackets outside of strings are nested deeper than `max_depth`.

    Each round takes the innermost pairs away; what is left after as many rounds is deeper.
    """
    brackets = _outside_strings(body)
    for _ in range(max_depth):
        rest = brackets.replace(b"[]", b"")
        if len(rest) == len(brackets):
            break
        brackets = rest
    return brackets != b""


def _outside_strings(body: bytes) -> bytes:
    """Return the brackets outside of strings, all of them square, in a few passes whatever the body is."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # two quotation marks side by side change nothing about what stands inside and outside of strings
    marks = body.translate(_ALL_SQUARE, _NO_MARKS).replace(b'""', b"")
    return b"".join(marks.split(b'"')[::2])


_ALL_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'[]{}"')


async def respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Write a whole answer."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def respond_problem(send: Send, problem: ProblemError) -> None:
    """Write a problem document."""
    extra = encoded(problem.headers)
    await respond(send, problem.status, [(b"content-type", b"application/problem+json"), *extra], problem.body())


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI wants them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
