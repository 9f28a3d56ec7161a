"""The connections to all backends: dialled when none is idle, used last in first out, closed after a while."""

import asyncio
import ssl
from asyncio import AbstractEventLoop, Event, TimerHandle
from collections import defaultdict
from functools import partial

from app.backends.connection import Connection
from app.backends.request import Address
from routers.call import SendError
from routers.causes import Cause

KEEPALIVE_S = 4.0
"""How long an idle connection is kept: less than the 5 s after which uvicorn and Node close it on their side."""


class Pool:
    """Connections by address; belongs to one event loop."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._idle: defaultdict[Address, list[Connection]] = defaultdict(list)
        self._open: set[Connection] = set()
        self._sweeper: TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None
        self._is_closed = False
        self._emptied = Event()

    def take(self, address: Address) -> Connection | None:
        """Return the connection that became idle last, if there is one."""
        idle = self._idle.get(address)
        now = self._loop.time()
        while idle:
            connection = idle.pop()
            if not connection.is_closed and now < connection.idle_until:
                return connection
            connection.close()
        return None

    async def dial(self, address: Address, limit_s: float) -> Connection:
        """Return a new connection within `limit_s`, name and TLS included. Raises `SendError` with CONNECT."""
        try:
            async with asyncio.timeout(limit_s):
                connection = await self._dial(address, limit_s)
        # UnicodeError: a host name that no resolver can be asked for
        except (OSError, UnicodeError) as error:
            told = f"{address.host}:{address.port}: {type(error).__name__}: {error}"
            raise SendError(Cause.CONNECT, told[:200]) from error
        if self._is_closed:
            connection.close()
            raise SendError(Cause.CONNECT, "the client is closed")
        return connection

    async def close(self) -> None:
        """Close everything, and return when it is closed."""
        self._is_closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._idle.clear()
        for connection in list(self._open):
            connection.close()
        if self._open:
            await self._emptied.wait()

    async def _dial(self, address: Address, limit_s: float) -> Connection:
        """Try the host's addresses in turn; one that swallows connections leaves the next ones their share of time."""
        hosts = await self._resolve(address)
        for host in hosts[:-1]:
            try:
                async with asyncio.timeout(limit_s / len(hosts)):
                    return await self._connect(host, address)
            except OSError:
                continue
        return await self._connect(hosts[-1], address)

    async def _resolve(self, address: Address) -> list[str]:
        if address.is_literal:
            return [address.host]
        found = await self._loop.getaddrinfo(address.host, address.port, type=1)
        return list(dict.fromkeys(str(each[4][0]) for each in found))

    async def _connect(self, host: str, address: Address) -> Connection:
        idle = self._idle[address]
        made = partial(Connection, self._loop, partial(self._keep, idle), self._forget)
        if address.is_tls:
            name = address.host.rstrip(".")
            _, connection = await self._loop.create_connection(
                made, host, address.port, ssl=self._context(), server_hostname=name
            )
        else:
            _, connection = await self._loop.create_connection(made, host, address.port)
        if not connection.is_closed:
            self._open.add(connection)
        return connection

    def _context(self) -> ssl.SSLContext:
        """Trust whom the system trusts (SSL_CERT_FILE and SSL_CERT_DIR name others)."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _keep(self, idle: list[Connection], connection: Connection) -> None:
        if self._is_closed:
            connection.close()
            return
        connection.idle_until = self._loop.time() + KEEPALIVE_S
        idle.append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(KEEPALIVE_S, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for long; what became idle first lies first."""
        self._sweeper = None
        now = self._loop.time()
        for idle in self._idle.values():
            fresh = [each for each in idle if not each.is_closed and now < each.idle_until]
            for connection in set(idle) - set(fresh):
                connection.close()
            idle[:] = fresh
        waiting = [idle[0].idle_until for idle in self._idle.values() if idle]
        if waiting:
            self._sweeper = self._loop.call_at(min(waiting), self._sweep)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if self._is_closed and not self._open:
            self._emptied.set()
