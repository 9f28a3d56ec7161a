"""How a process here serves an application: an announced address, a clean end at a signal."""

import signal
import socket
import sys
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


def serve(application: Starlette, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, which end the process with status 0; idle connections outlive any client's."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    config = uvicorn.Config(
        application,
        access_log=False,
        log_level="warning",
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    with _bind(host, port) as listener:
        AnnouncedServer(config).run([listener])


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
