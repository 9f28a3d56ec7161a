"""The address that the service listens on, taken before anything is opened."""

import socket

from app.cli.exits import CommandError, Exit

BACKLOG = 2048


def listening(host: str, port: int) -> socket.socket:
    """Take the address; who connects before the service is ready waits for it. Raises CommandError."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no name of a host"
        told = f"Crossfade cannot listen on {host} port {port}: {why}."
        raise CommandError(Exit.REFUSED, told, "Choose another with --host and --port.") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Return where a listener is reached."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
