"""The service in a web server, with one line for every reason why it cannot start."""

import gc
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from app.bootstrap import SeedError
from app.cli.draining import DrainingServer
from app.cli.exits import CommandError, Exit
from app.cli.listener import url_of
from app.cli.outbox import held_protocol
from app.main import VERSION, create_app
from app.settings import Settings
from app.shell import Shell
from app.siblings import Place
from app.stores.records import StoreAddressError, StoreUnavailableError

KEEP_ALIVE_S = 75
"""Longer than load balancers keep idle connections, so that they never send into one that is just being closed."""

PATIENCE = (5_000, 10, 50)
"""After how many new objects garbage is looked for, and how rarely among the old ones.

Streams that are open are old objects: with Python's own numbers 8,000 of them stop the loop for half a second, often.
"""

SWITCH_S = 0.0005
"""After how long a thread that works, such as SQLite's, makes way for the one that answers: a tenth of Python's own."""


def run(settings: Settings, listener: socket.socket, ready: Callable[[], None], *, place: Place | None = None) -> None:
    """Serve until a signal comes; `place` is a worker's among its siblings. Raises CommandError if it cannot start."""
    # a stop that was asked for is no failure, and what is open has ended by then
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.OK))
    _allow_connections()
    try:
        _Server(create_app(settings, place=place), settings, listener, ready).run([listener])
    except (StoreUnavailableError, StoreAddressError, SeedError) as error:
        code = Exit.USAGE if isinstance(error, StoreAddressError) else Exit.REFUSED
        raise CommandError(code, f"Crossfade cannot start: {' '.join(str(error).split())}") from error


def _allow_connections() -> None:
    """Let as many files be open as the system allows: a stream is one, and the usual 1,024 would shut out everybody."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class _Server(DrainingServer):
    """Opens the service before it listens, and closes it after the last answer."""

    def __init__(self, shell: Shell, settings: Settings, listener: socket.socket, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            shell,
            http=held_protocol(settings.max_header_bytes, settings.body_timeout_s),
            loop="uvloop",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=True,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config, settings, listener)
        self._shell = shell
        self._ready = ready

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Do what the parent does, with the service open around it: so its failures arrive as they are."""
        control = self._shell.control
        with self.capture_signals():
            async with control.router.lifespan_context(control):
                _settle_down()
                await self._serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the service is ready, as soon as it answers."""
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop being ready before anything else ends."""
        super().handle_exit(sig, frame)
        if self._shell.services is not None:
            self._shell.services.draining.set()


def _settle_down() -> None:
    """Make the process one that serves: what is open stays for its life, and whoever answers is never kept waiting.

    It concerns the whole process, which is why an application in another's leaves it alone: what it had frozen there
    would never be freed again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*PATIENCE)
    sys.setswitchinterval(SWITCH_S)


def announcement(listener: socket.socket, settings: Settings, workers: int = 1) -> str:
    """Return what to say when the service answers."""
    url = url_of(listener)
    many = f" with {workers} workers" if workers > 1 else ""
    where = "" if settings.redis_url is None else "Redis; last good copy in "
    state = f"{where}{settings.data_dir.resolve()}"
    return f"Crossfade {VERSION} listens on {url}{many}\n  docs   {url}/docs\n  state  {state}"
