"""What plain ASGI endpoints share: reading a body, reading a caller's attributes, writing an answer."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson

from app.errors import Code, ProblemError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON_HEADERS = [(b"content-type", b"application/json")]


class CallerLeftError(Exception):
    """The caller closed the connection before its request was whole."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return the whole request body. Raises ProblemError 413 above `limit` bytes, and CallerLeftError."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeftError
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > limit:
            raise ProblemError(413, Code.BODY_TOO_LARGE, f"a request body may have {limit:,} bytes at most")
        if not message.get("more_body", False):
            return body


def parsed(body: bytes, max_depth: int) -> Any:
    """Return the JSON of a body. Raises ProblemError 400 when it is none, or nested deeper than `max_depth`."""
    if body.count(b"[") + body.count(b"{") > max_depth and deeper_than(body, max_depth):
        raise ProblemError(400, Code.JSON_TOO_DEEP, f"JSON may be nested {max_depth} deep at most")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(400, Code.MALFORMED_JSON, f"the body is not JSON: {error}") from error


def deeper_than(body: bytes, max_depth: int) -> bool:
    """Say whether the brackets outside of strings are nested deeper than `max_depth`."""
    depth, at = 0, 0
    while at < len(body):
        byte = body[at]
        if byte == _QUOTE:
            at = _end_of_string(body, at)
        elif byte in b"[{":
            depth += 1
            if depth > max_depth:
                return True
        elif byte in b"]}":
            depth -= 1
        at += 1
    return False


_QUOTE, _BACKSLASH = b'"'[0], b"\\"[0]


def _end_of_string(body: bytes, start: int) -> int:
    at = body.find(b'"', start + 1)
    while at > 0 and _is_escaped(body, at):
        at = body.find(b'"', at + 1)
    return at if at > 0 else len(body)


def _is_escaped(body: bytes, quote: int) -> bool:
    backslashes = 0
    while body[quote - 1 - backslashes] == _BACKSLASH:
        backslashes += 1
    return backslashes % 2 == 1


async def respond(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """Write a whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": [*headers, _length(body)]})
    await send({"type": "http.response.body", "body": body})


async def respond_problem(send: Send, problem: ProblemError) -> None:
    """Write a problem document."""
    extra = encoded(problem.headers)
    await respond(send, problem.status, [(b"content-type", b"application/problem+json"), *extra], problem.body())


def encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI wants them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _length(body: bytes) -> tuple[bytes, bytes]:
    return (b"content-length", str(len(body)).encode())
