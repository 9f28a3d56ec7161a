"""A web server that stops without losing a request: it says goodbye on every connection before it hangs up."""

import asyncio
import math
import signal
import socket
import time
from types import FrameType
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.settings import Settings

LULL_S = 1.0
"""How long connections are still accepted after SIGTERM, and then how long open ones may lie idle before they end."""

LAST_WORDS_S = 1.0
"""How long requests that were cut off at the limit have to say so."""


class DrainingServer(uvicorn.Server):
    """Ends its connections by `Connection: close` on their next answer, and closes only what has long been idle.

    After SIGTERM it accepts for a lull, until balancers know; who has a connection may use it for one more lull; what
    is under way has until the drain limit. Without connections, or after Ctrl-C, there are no lulls.
    """

    def __init__(self, config: uvicorn.Config, settings: Settings, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener
        self._drain_s = settings.drain_s
        self._lull_s = LULL_S
        self._asked_at: float | None = None
        self._refuses_since: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a person at a terminal does not want to wait for balancers."""
        super().handle_exit(sig, frame)
        if sig == signal.SIGINT:
            self._lull_s = 0.0

    async def on_tick(self, counter: int) -> bool:
        """Say whether the main loop is over: when everything was answered, or the limit is reached."""
        if not await super().on_tick(counter):
            return False
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
            self._say_goodbye()
        left_s = self._asked_at + self._drain_s - now
        if self._refuses_since is None:
            if self.server_state.connections and now - self._asked_at < self._lull_s and left_s > 0:
                return False
            self._refuses_since = now
            await self._stop_accepting()
        if now - self._refuses_since >= self._lull_s:
            self._close_idle()
        return not self.server_state.connections or left_s <= 0 or self.force_exit

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut off what is still under way."""
        cut_off = list(self.server_state.tasks)
        for task in cut_off:
            task.cancel()
        if cut_off:
            await asyncio.wait(cut_off, timeout=LAST_WORDS_S)
        await super().shutdown(sockets)

    def _say_goodbye(self) -> None:
        """Let every answer that has not begun be the last of its connection."""
        goodbye = (b"connection", b"close")
        self.config.encoded_headers.append(goodbye)
        self.server_state.default_headers = [*self.server_state.default_headers, goodbye]
        for connection in self._connections():
            # whoever was promised more by an answer that has begun may ask once more, and is told then
            connection.timeout_keep_alive = math.ceil(self._lull_s)
            if (cycle := _cycle_of(connection)) is not None and not cycle.response_started:
                cycle.keep_alive = False

    async def _stop_accepting(self) -> None:
        """Refuse from now on, but take in whoever the system has let in already: closing would reset them."""
        waiting = self._listener.dup()
        waiting.setblocking(False)
        for server in self.servers:
            server.close()
        let_in = []
        while (caller := _next(waiting)) is not None:
            let_in.append(caller)
        waiting.close()
        loop = asyncio.get_running_loop()
        for each in let_in:
            await loop.connect_accepted_socket(self._protocol, each)

    def _protocol(self) -> asyncio.Protocol:
        make = cast(type[HttpToolsProtocol], self.config.http_protocol_class)
        return make(self.config, self.server_state, self.lifespan.state)

    def _connections(self) -> list[HttpToolsProtocol]:
        return [each for each in self.server_state.connections if isinstance(each, HttpToolsProtocol)]

    def _close_idle(self) -> None:
        for connection in self._connections():
            if (cycle := _cycle_of(connection)) is None or cycle.response_complete:
                connection.transport.close()


def _cycle_of(connection: HttpToolsProtocol) -> RequestResponseCycle | None:
    return connection.cycle


def _next(waiting: socket.socket) -> socket.socket | None:
    try:
        return waiting.accept()[0]
    except OSError:
        return None
