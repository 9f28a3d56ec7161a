"""The client: one call in, one answer out, over a connection that is new or as good as new."""

import asyncio
from types import TracebackType
from typing import Self

from app.backends.connection import Connection, LostRaceError
from app.backends.pool import Pool
from app.backends.reading import Reading
from app.backends.request import Request, request_of
from routers.call import Answer, Call
from routers.hops import answered_headers
from routers.model import Backend

CONNECT_S = 1.0
"""How long a backend may take to accept a connection, name and TLS included, or half its `timeout_ms` if that is less.

So a host that is gone is known to have seen nothing before the attempt's time is over.
"""


class BackendClient:
    """Carries calls over one pool of connections, for as long as it is entered."""

    _pool: Pool

    async def __aenter__(self) -> Self:
        self._pool = Pool(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.close()

    async def send(self, backend: Backend, call: Call) -> Answer:
        """Return the backend's answer: whole if it announces at most `WHOLE_BYTES`, else at its first piece.

        Limits nothing but the time to connect: cancel it when its time is over. Raises `SendError`, and
        `UnsafeCallError` for a call that may go nowhere. Header names come back in lower case, bodies as they are.
        """
        request = request_of(backend, call)
        while (connection := self._pool.take(request.address)) is not None:
            try:
                return _answer(connection, await connection.ask(request))
            except LostRaceError:
                if not request.may_repeat:
                    raise
        connection = await self._dial(backend, request)
        return _answer(connection, await connection.ask(request))

    async def _dial(self, backend: Backend, request: Request) -> Connection:
        limit_ms = backend.timeout_ms
        return await self._pool.dial(
            request.address, CONNECT_S if limit_ms is None else min(CONNECT_S, limit_ms / 2000)
        )


class _Rest:
    """The pieces of an answer after the first."""

    __slots__ = ("_connection", "_reading")

    def __init__(self, connection: Connection, reading: Reading) -> None:
        self._connection = connection
        self._reading = reading

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._connection.more(self._reading)
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._connection.leave(self._reading)


def _answer(connection: Connection, reading: Reading) -> Answer:
    headers = answered_headers(reading.headers)
    body = reading.take()
    rest = None if reading.is_complete else _Rest(connection, reading)
    return Answer(reading.status, headers, body, rest)
