"""The service in a web server, with one line for every reason why it cannot start."""

import math
import signal
import socket
import sys

import typer
import uvicorn

from app.bootstrap import SeedError
from app.cli.exits import CommandError, Exit
from app.cli.listener import url_of
from app.cli.outbox import held_protocol
from app.main import VERSION, create_app
from app.settings import Settings
from app.shell import Shell
from app.stores.records import StoreAddressError, StoreUnavailableError

KEEP_ALIVE_S = 75
"""Longer than load balancers keep idle connections, so that they never send into one that is just being closed."""


def run(settings: Settings, listener: socket.socket) -> None:
    """Serve until a signal comes. Raises CommandError when the service cannot start."""
    # a stop that was asked for is no failure, and what is open has ended by then
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.OK))
    try:
        _Server(create_app(settings), settings, listener).run([listener])
    except (StoreUnavailableError, StoreAddressError, SeedError) as error:
        raise CommandError(Exit.REFUSED, f"Crossfade cannot start: {' '.join(str(error).split())}") from error


class _Server(uvicorn.Server):
    """Opens the service before it listens, and closes it after the last answer."""

    def __init__(self, shell: Shell, settings: Settings, listener: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                shell,
                http=held_protocol(settings.max_header_bytes, settings.body_timeout_s),
                loop="uvloop",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=True,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(settings.drain_s),
            )
        )
        self._control = shell.control
        self._announcement = _announcement(listener, settings)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Do what the parent does, with the service open around it: so its failures arrive as they are."""
        with self.capture_signals():
            async with self._control.router.lifespan_context(self._control):
                await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where the service is, as soon as it answers there."""
        await super().startup(sockets)
        typer.echo(self._announcement)


def _announcement(listener: socket.socket, settings: Settings) -> str:
    url = url_of(listener)
    return f"Crossfade {VERSION} listens on {url}\n  docs   {url}/docs\n  state  {settings.data_dir.resolve()}"
