"""Connections to backends: those that are idle, and as many new ones as are needed."""

import asyncio
import ssl
from collections import deque
from typing import NamedTuple

import aiohappyeyeballs

from routers.call import SendError
from routers.causes import Cause
from routers.patience import Within

from .connection import Connection
from .names import Names

KEEPALIVE_S = 4.0
"""How long an idle connection is kept: less than the 5 s after which uvicorn and Node close it on their side."""

MAX_IDLE = 256
"""How many idle connections to one host are kept; of more, those that were idle longest are closed."""

NEXT_ADDRESS_S = 0.25
"""After how long a host's next address is tried besides the one that has not answered (RFC 8305)."""


class Address(NamedTuple):
    """Where connections lead."""

    host: str
    port: int
    tls: bool


class Trust:
    """Who is trusted by TLS: the system's CAs, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.

    They are read once, from now on, for all clients of an event loop. A thread reads them, since that takes long and
    only a call by TLS has to wait for it.
    """

    def __init__(self) -> None:
        self._reading = asyncio.get_running_loop().run_in_executor(None, ssl.create_default_context)

    async def context(self) -> ssl.SSLContext:
        """Return what connections by TLS are made with."""
        # shielded: a caller who gives up must not take it from the others
        return await asyncio.shield(self._reading)


class Pool:
    """The connections of one client, on the event loop it was made on; the one used last is used next.

    `trust` says who is trusted by TLS.
    """

    def __init__(self, trust: Trust, keepalive_s: float = KEEPALIVE_S) -> None:
        self._loop = asyncio.get_running_loop()
        self._keepalive_s = keepalive_s
        self._names = Names(self._loop)
        self._sweep: asyncio.TimerHandle | None = None
        self._trust = trust
        self._open: dict[Connection, Address] = {}
        self._idle: dict[Address, deque[Connection]] = {}
        self._closed = False

    def take(self, address: Address) -> Connection | None:
        """Return an idle connection, None when there is none."""
        idle = self._idle.get(address)
        if not idle:
            return None
        oldest = self._loop.time() - self._keepalive_s
        while idle:
            connection = idle.pop()
            if connection.idle_since >= oldest and connection.is_open:
                return connection
            connection.close()
        return None

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose exchange is over, if another may follow."""
        address = self._open.get(connection)
        if address is None or not connection.is_reusable:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        idle = self._idle.get(address)
        if idle is None:
            idle = self._idle[address] = deque()
        idle.append(connection)
        if len(idle) > MAX_IDLE:
            idle.popleft().close()
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._keepalive_s / 4, self._close_old)

    def _close_old(self) -> None:
        oldest = self._loop.time() - self._keepalive_s
        for address, idle in list(self._idle.items()):
            while idle and idle[0].idle_since < oldest:
                idle.popleft().close()
            if not idle:
                del self._idle[address]
        self._sweep = self._loop.call_later(self._keepalive_s / 4, self._close_old) if self._idle else None

    async def dial(self, address: Address, limit_s: float) -> Connection:
        """Return a new connection. Raises SendError when there is none within `limit_s`."""
        try:
            async with Within(limit_s):
                connection = await self._connected(address)
        # uvloop has a RuntimeError for some sockets, and Python for a thread that cannot be started
        except (OSError, UnicodeError, RuntimeError) as error:
            told = f"cannot connect to {address.host} port {address.port}: {type(error).__name__} {error}"
            raise SendError(Cause.CONNECT, told[:200]) from error
        if self._closed or not connection.is_open:
            connection.close()
            raise SendError(Cause.CONNECT, f"{address.host} port {address.port} hung up before it was asked anything")
        self._open[connection] = address
        return connection

    async def _connected(self, address: Address) -> Connection:
        host, port, tls = address
        trusting = await self._trust.context() if tls else None
        found = await self._names.find(host, port)
        raw = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_S, loop=self._loop)
        try:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self._loop, self._forget),
                sock=raw,
                ssl=trusting,
                server_hostname=host if tls else None,
            )
        except BaseException:
            raw.close()
            raise
        return connection

    def _forget(self, connection: Connection) -> None:
        address = self._open.pop(connection, None)
        idle = self._idle.get(address) if address is not None else None
        if idle and connection in idle:
            idle.remove(connection)

    def close(self) -> None:
        """Hang up everywhere."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        self._names.close()
        for connection in list(self._open):
            connection.close()
