"""The one door to the backends' HTTP: carries a call to a backend, and its answer back."""

from asyncio import Future
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from types import TracebackType
from typing import Self

from aiohttp import (
    ClientConnectionResetError,
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from yarl import URL

from routers.call import Answer, Call, SendError
from routers.causes import Cause
from routers.hops import SAFE_METHODS, UnsafeCallError, answered_headers, safe_path, sent_headers
from routers.model import Backend

CONNECT_S = 1.0
"""How long a backend may take to accept a connection, name and TLS included, or half its `timeout_ms` if that is less.

So a host that is gone is known to have seen nothing before the attempt's time is over.
"""

KEEPALIVE_S = 4.0
"""How long an idle connection is kept: less than the 5 s after which uvicorn and Node close it on their side."""

WHOLE_BYTES = 1 << 20
"""Answers that announce up to this length are read whole, so that a backend dying in mid-answer can be replaced."""

HEAD_BYTES = 1 << 16
"""The longest status or header line of an answer."""

HEAD_LINES = 256
"""The most header lines of an answer."""

BUFFER_BYTES = 1 << 16
"""What is read ahead of a slow caller, at most about twice this per stream."""

ONE_WRITE_BYTES = 1 << 20
"""The longest body of a call that is written at once; longer ones would hold up the event loop."""

# UnicodeError: a host name that no resolver can be asked for
_UNSENT = (ClientConnectorError, ConnectionTimeoutError, ClientConnectionResetError, UnicodeError)
# aiohttp raises RuntimeError when a connection is gone that it has parsed nonsense on
_LOST = (ClientError, OSError, RuntimeError, UnicodeError)


class BackendClient:
    """Carries calls over one pool of connections, for as long as it is entered."""

    _session: ClientSession

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            connector=_Pool(limit=0, keepalive_timeout=KEEPALIVE_S),
            request_class=_Request,
            middlewares=(_send_once,),
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=BUFFER_BYTES,
            max_line_size=HEAD_BYTES,
            max_field_size=HEAD_BYTES,
            max_headers=HEAD_LINES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, backend: Backend, call: Call) -> Answer:
        """Return the backend's answer: whole if it announces at most `WHOLE_BYTES`, else at its first piece.

        Limits nothing but the time to connect: cancel it when its time is over. Raises `SendError`, and
        `UnsafeCallError` for a call that may go nowhere. Header names come back in lower case, bodies as they are.
        """
        url = _url(backend.url, call.path)
        if call.method.upper() == "CONNECT":
            raise UnsafeCallError("CONNECT asks for a tunnel, not for an answer")
        try:
            headers = [(name.decode(), _text(value)) for name, value in sent_headers(call.headers)]
            response = await self._session.request(
                call.method,
                url,
                headers=headers,
                data=_body(call.body),
                allow_redirects=False,
                timeout=_timeout(backend.timeout_ms),
            )
        except ValueError as error:
            raise UnsafeCallError(str(error)) from error
        return await _answer(response)


class _Request(ClientRequest):
    """A request that knows whether a connection was dialled for it."""

    dialled = False


class _Pool(TCPConnector):
    """A pool that never reuses a connection on which something waits that nobody asked for."""

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        while _is_soiled(connection) and not _is_dialled(req):
            connection.close()
            connection = await super().connect(req, traces, timeout)
        return connection

    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> ResponseHandler:
        if isinstance(req, _Request):
            req.dialled = True
        return await super()._create_connection(req, traces, timeout)


class _Rest:
    """The pieces of an answer after the first."""

    __slots__ = ("_response",)

    def __init__(self, response: ClientResponse) -> None:
        self._response = response

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._response.content.readany()
        except _LOST as error:
            await self.aclose()
            raise _send_error(error) from error
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._response.close()


async def _send_once(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
    """Send again only a safe call that lost the race against a backend closing an idle connection."""
    while True:
        try:
            return await send(request)
        except _LOST as error:
            if not _has_lost_the_race(request, error):
                raise _send_error(error) from error


async def _answer(response: ClientResponse) -> Answer:
    try:
        body = await _first_piece(response)
    except _LOST as error:
        response.close()
        raise _send_error(error) from error
    except BaseException:
        response.close()
        raise
    headers = answered_headers(list(response.raw_headers))
    rest = None if response.content.at_eof() else _Rest(response)
    return Answer(response.status, headers, body, rest)


async def _first_piece(response: ClientResponse) -> bytes:
    content = response.content
    if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
        raise SendError(Cause.GARBAGE, "switches protocols, which nobody asked for")
    if content.is_eof():
        return content.read_nowait()
    _wake_when_lost(response)
    length = response.content_length
    if length is not None and length <= WHOLE_BYTES:
        return await content.read()
    return await content.readany()


def _wake_when_lost(response: ClientResponse) -> None:
    """Do what aiohttp leaves out: wake who waits for a piece on a connection it has closed over a malformed chunk."""
    content, connection = response.content, response.connection
    if connection is None or connection.protocol is None or (closed := connection.protocol.closed) is None:
        return

    def wake(_: Future[None]) -> None:
        if content.exception() is None:
            content.set_exception(SendError(Cause.GARBAGE, "malformed in mid-answer"))

    def forget() -> None:
        closed.remove_done_callback(wake)

    closed.remove_done_callback(_take_note)
    closed.add_done_callback(_take_note)
    closed.add_done_callback(wake)
    content.on_eof(forget)


def _take_note(closed: Future[None]) -> None:
    """Look at how a connection ended, so that asyncio does not log that nobody did."""
    if not closed.cancelled():
        closed.exception()


def _has_lost_the_race(request: ClientRequest, error: Exception) -> bool:
    is_broken = isinstance(error, (ServerDisconnectedError, ClientOSError, ClientConnectionResetError))
    return is_broken and request.method in SAFE_METHODS and not request.body and not _is_dialled(request)


def _is_dialled(request: ClientRequest) -> bool:
    return isinstance(request, _Request) and request.dialled


def _is_soiled(connection: Connection) -> bool:
    return connection.protocol is not None and connection.protocol.should_close


def _send_error(error: Exception) -> SendError:
    """Say in our words what aiohttp says in its own."""
    # what a backend answered is not ours to log, nor is the URL with the caller's query, which aiohttp adds to it
    told = "malformed" if isinstance(error, ClientResponseError) else str(error).partition("\n")[0][:200]
    return SendError(_cause(error), f"{type(error).__name__}: {told}")


def _cause(error: Exception) -> Cause:
    if isinstance(error, _UNSENT):
        return Cause.CONNECT
    return Cause.GARBAGE if isinstance(error, ClientResponseError) else Cause.INTERRUPTED


def _url(backend_url: str, path: str) -> URL:
    """Host, port and scheme are the backend's, whatever the path holds."""
    base, prefix = _base(backend_url)
    return base.with_path(prefix + safe_path(path), encoded=True)


@lru_cache(maxsize=1024)
def _base(backend_url: str) -> tuple[URL, str]:
    base = URL(backend_url, encoded=True)
    return base, base.raw_path.rstrip("/")


@lru_cache(maxsize=1024)
def _timeout(timeout_ms: int | None) -> ClientTimeout:
    connect_s = CONNECT_S if timeout_ms is None else min(CONNECT_S, timeout_ms / 2000)
    return ClientTimeout(total=None, connect=connect_s)


def _body(body: bytes) -> bytes | BytesIO | None:
    return BytesIO(body) if len(body) > ONE_WRITE_BYTES else body or None


def _text(value: bytes) -> str:
    """Decode a header's value; aiohttp writes it as UTF-8, so what is none changes its bytes but not its meaning."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
