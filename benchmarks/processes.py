"""Processes of a benchmark: started on a core, waited for until they accept connections, stopped for certain."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit

START_S = 30.0
STOP_S = 10.0
HOST = "127.0.0.1"


class StartError(RuntimeError):
    """A process did not come up; its last words are in the message."""


@contextmanager
def running(
    command: Sequence[str], port: int, *, core: int | None, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a server until the block ends, and yield its process id. Raises StartError when it does not start in time."""
    with tempfile.TemporaryFile() as said:
        with on_core(core):
            process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=said, stderr=said)
        try:
            if not _accepts(process, port):
                said.seek(0)
                raise StartError(f"{command[0]} did not start: {said.read()[-2000:].decode(errors='replace')}")
            yield process.pid
        finally:
            _stop(process)


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Have the processes started in the block run on one core only."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of a URL that names both."""
    parts = urlsplit(url)
    return parts.hostname or HOST, parts.port or 80


def _accepts(process: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
