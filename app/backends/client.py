"""A call written as HTTP/1.1, and the backend's answer to it."""

import re
from functools import lru_cache
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from routers.call import Answer, Call, SendError, Upload
from routers.causes import Cause
from routers.hops import SAFE_METHODS, UnsafeCallError, answered_headers, safe_path, sent_headers
from routers.model import Backend

from .connection import Connection
from .pool import Address, Pool, Trust

CONNECT_S = 1.0
"""How long a backend may take to accept a connection, name and TLS included, or half its `timeout_ms` if that is less.

So a host that is gone is known to have seen nothing before the attempt's time is over.
"""

_WORD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS_LINES = re.compile(rb"[\r\n\0]")
_PORTS = {"http": 80, "https": 443}


class BackendClient:
    """Carries calls over one pool of connections, for as long as it is entered; clients may share who they trust."""

    _pool: Pool

    def __init__(self, trust: Trust | None = None) -> None:
        self._trust = trust

    async def __aenter__(self) -> Self:
        self._pool = Pool(self._trust or Trust())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()

    async def send(self, backend: Backend, call: Call) -> Answer:
        """Return the backend's answer: whole if it announces at most `WHOLE_BYTES`, else at its first piece.

        Limits nothing but the time to connect: cancel it when its time is over. Raises `SendError`, and
        `UnsafeCallError` for a call that may go nowhere. Header names come back in lower case, bodies as they are.
        """
        base, pool = _base(backend.url), self._pool
        head = _head(base, call)
        while True:
            connection = pool.take(base.address) or await pool.dial(base.address, _connect_s(backend.timeout_ms))
            try:
                connection.ask(head, call.body, call.upload, wants_body=call.method.upper() != "HEAD")
                await connection.begun()
            except SendError as error:
                connection.close()
                if not _has_lost_the_race(connection, call, error):
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                return self._answer(connection)

    def _answer(self, connection: Connection) -> Answer:
        answer = Answer(connection.status, answered_headers(connection.headers), connection.take())
        if connection.done:
            self._pool.give_back(connection)
        else:
            answer.rest = _Rest(connection, self._pool)
        return answer


class _Rest:
    """The pieces of an answer after the first."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, connection: Connection, pool: Pool) -> None:
        self._connection: Connection | None = connection
        self._pool = pool

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        connection = self._connection
        if connection is None:
            raise StopAsyncIteration
        try:
            await connection.more()
        except SendError:
            await self.aclose()
            raise
        piece = connection.take()
        if not piece:
            self._connection = None
            self._pool.give_back(connection)
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Base(NamedTuple):
    """What of a request is the backend's, whatever the call holds."""

    address: Address
    host: bytes
    prefix: str


@lru_cache(maxsize=1024)
def _base(backend_url: str) -> _Base:
    parts = urlsplit(backend_url)
    name, default = parts.hostname or "", _PORTS[parts.scheme]
    port = parts.port or default
    host = f"[{name}]" if ":" in name else name
    shown = host if port == default else f"{host}:{port}"
    return _Base(Address(name, port, parts.scheme == "https"), shown.encode(), parts.path.rstrip("/"))


def _head(base: _Base, call: Call) -> bytes:
    """Return request line and headers. Raises `UnsafeCallError` for what would be read as something else."""
    method, path = call.method.upper().encode(), base.prefix + safe_path(call.path)
    if not _WORD.fullmatch(method) or method == b"CONNECT":
        raise UnsafeCallError("the method must be one word, and not CONNECT, which asks for a tunnel")
    target = path if path[:1] == "/" else f"/{path}"
    lines = [b"%b %b HTTP/1.1\r\nHost: %b" % (method, target.encode(), base.host)]
    for name, value in sent_headers(call.headers):
        if not _WORD.fullmatch(name) or _BREAKS_LINES.search(value):
            raise UnsafeCallError("a header's name must be one word, and its value one line")
        lines.append(b"%b: %b" % (name, value if value.isascii() else _utf8(value)))
    if call.upload is not None:
        lines.append(_announced(call.upload))
    elif call.body or call.method not in SAFE_METHODS:
        lines.append(b"Content-Length: %d" % len(call.body))
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def _announced(upload: Upload) -> bytes:
    return b"Transfer-Encoding: chunked" if upload.length is None else b"Content-Length: %d" % upload.length


def _utf8(value: bytes) -> bytes:
    """Write a header's value as UTF-8; what is none changes its bytes but not its meaning."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1").encode()
    return value


def _has_lost_the_race(connection: Connection, call: Call, error: SendError) -> bool:
    """Whether a safe call met a backend that was closing an idle connection, and may be sent again."""
    is_broken = error.cause is Cause.INTERRUPTED and connection.exchanges > 1 and not connection.status
    return is_broken and call.method in SAFE_METHODS and not (call.body or call.upload)


def _connect_s(timeout_ms: int | None) -> float:
    return CONNECT_S if timeout_ms is None else min(CONNECT_S, timeout_ms / 2000)
