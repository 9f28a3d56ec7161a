"""`python -m backends.rag legacy|new`: serve one side until SIGTERM."""

import argparse
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import get_args

import uvicorn

from .embed import Side
from .engine import Engine
from .server import application

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


def main() -> None:
    """Load one side, then serve it."""
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    with _bind(arguments.host, arguments.port) as listener:
        engine = Engine.load(arguments.side, arguments.cache_dir)
        AnnouncedServer(_config(engine)).run([listener])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m backends.rag", description=__doc__)
    parser.add_argument("side", choices=get_args(Side))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--cache-dir", type=Path, help="keep the vectors of the corpus here (default: nowhere)")
    return parser.parse_args()


def _config(engine: Engine) -> uvicorn.Config:
    """Keep idle connections longer than any client does: else a client may reuse one just as it is closed."""
    return uvicorn.Config(
        application(engine),
        lifespan="off",
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
    """Make a signal an ordinary exit with status 0, also while the corpus is being embedded."""
    sys.exit(0)


if __name__ == "__main__":
    main()
