"""A backend as a process: it takes its port, loads, says where it listens, and ends at SIGTERM with status 0."""

import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

IDLE_S = 120
SHUTDOWN_S = 2


class AnnouncedServer(uvicorn.Server):
    """Prints its address once it accepts connections, so that a parent process need not guess or poll."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where."""
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            sys.stdout.write(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}\n")
            sys.stdout.flush()


def serve(load: Callable[[], Starlette], host: str, port: int) -> None:
    """Load an application and serve it until SIGTERM or SIGINT; port 0 takes a free one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    with _bind(host, port) as listener:
        AnnouncedServer(_config(load())).run([listener])


def _config(application: Starlette) -> uvicorn.Config:
    """Keep idle connections longer than any client does: else a client may reuse one just as it is closed."""
    return uvicorn.Config(
        application,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


def _bind(host: str, port: int) -> socket.socket:
    """Take the port before the slow part; connections are refused until the server listens."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Make a signal an ordinary exit with status 0, also while the slow part is under way."""
    sys.exit(0)
