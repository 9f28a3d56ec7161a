"""The address that the service listens on, taken before anything is opened."""

import socket
import sys

from app.cli.exits import CommandError, Exit

BACKLOG = 2048


def listening(host: str, port: int, count: int = 1) -> list[socket.socket]:
    """Take the address for `count` processes; who connects before the service is ready waits. Raises CommandError.

    Linux spreads callers evenly over sockets that share an address; elsewhere the processes share one socket.
    """
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        first = socket.socket(family, kind, protocol)
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(address)
        if count == 1 or sys.platform != "linux":
            first.listen(BACKLOG)
            return [first] * count
        return [first, *(_beside(first) for _ in range(1, count))]
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no name of a host"
        told = f"Crossfade cannot listen on {host} port {port}: {why}."
        raise CommandError(Exit.REFUSED, told, "Choose another with --host and --port.") from error


def _beside(first: socket.socket) -> socket.socket:
    """Take the address of the first socket once more.

    The first shares it only now: sharing before it was bound, it would take an address that is in use by another.
    """
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    first.listen(BACKLOG)
    another = socket.socket(first.family, first.type, first.proto)
    another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    another.bind(first.getsockname())
    another.listen(BACKLOG)
    return another


def url_of(listener: socket.socket) -> str:
    """Return where a listener is reached."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
