"""A real service in a process of its own, for tests that look at it from the outside."""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
ADMIN = "admin-token-of-the-tests"
SIGNING_KEY = "signing-key-of-the-tests"
PATIENCE_S = 20

WITHOUT_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody, and so is ready at once; reading who is to be trusted takes longer than most requests."""


@dataclass(frozen=True)
class RunningService:
    """A service that is ready: where it is, its folder, and what it said on standard output when it was."""

    url: str
    folder: Path
    announcement: str
    process: subprocess.Popen[str]
    client: httpx.Client

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request that must succeed, and return its JSON; header names are given with underscores."""
        named = {"Authorization": f"Bearer {ADMIN}"} | {name.replace("_", "-"): each for name, each in headers.items()}
        answer = self.client.request(method, path, json=body, headers=named)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return what the process ended with."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    @property
    def log(self) -> str:
        """Everything it wrote to standard error until now."""
        return log_in(self.folder).read_text()


def environment(**settings: Any) -> dict[str, str]:
    """Return this process's environment with these settings of Crossfade, and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("CROSSFADE_")}
    return others | {f"CROSSFADE_{name.upper()}": str(value) for name, value in settings.items()}


def log_in(folder: Path) -> Path:
    """Return where a service of this folder writes its standard error."""
    return folder / "service.log"


@contextmanager
def started(folder: Path, *options: str, **settings: Any) -> Iterator[RunningService]:
    """Run `crossfade serve` on a free port, its state and its log in the folder, until the end of the block.

    It says where it listens when it answers there, so nothing has to be tried again and again.
    """
    settings = {"data_dir": folder / "data", "admin_token": ADMIN, "signing_key": SIGNING_KEY, **settings}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", *options]
    with (
        log_in(folder).open("w") as log,
        subprocess.Popen(
            command, cwd=ROOT, env=environment(**settings), stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            announcement = _announcement(process, folder)
            url = announcement.split()[4]
            with httpx.Client(base_url=url, timeout=PATIENCE_S, trust_env=False, verify=WITHOUT_TLS) as client:
                assert client.get("/readyz").status_code == 200
                yield RunningService(url, folder, announcement, process, client)
        finally:
            process.terminate()
            _wait_or_kill(process)


def _announcement(process: subprocess.Popen[str], folder: Path) -> str:
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0], f"the service did not start:\n{log_in(folder).read_text()}"
    return "".join(lines)


def _wait_or_kill(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
