"""Both sides as real processes, started once; their vectors are kept in pytest's own cache, checked by digest."""

import fcntl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import httpx
import pytest

from backends.rag.corpus import chunk
from backends.rag.embed import Side, load_embedder
from backends.rag.vectors import load_or_build

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Backend:
    """A running side and the address it announced."""

    side: Side
    process: subprocess.Popen[str]
    announced: str

    @property
    def url(self) -> str:
        """The base URL inside the announced line."""
        return self.announced.removeprefix("listening on ").rstrip()


Start = Callable[..., Backend]


@pytest.fixture(scope="session")
def vectors(request: pytest.FixtureRequest) -> Path:
    """A folder with the vectors of the whole corpus: one test worker embeds it, the others wait, later runs read."""
    folder = request.config.cache.mkdir("rag-vectors")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for side in get_args(Side):
            load_or_build(folder, load_embedder(side), chunk())
    return folder


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Start a side with further arguments and wait for its line; all are ended with the session."""
    with ExitStack() as stack:

        def start_side(side: Side, *arguments: str | Path, cwd: Path = ROOT) -> Backend:
            command = [sys.executable, "-m", "backends.rag", side, *map(str, arguments)]
            process = stack.enter_context(
                subprocess.Popen(command, cwd=cwd, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.kill)
            return Backend(side, process, process.stdout.readline())

        yield start_side


@pytest.fixture(scope="session", params=["legacy", "new"])
def backend(request: pytest.FixtureRequest, start: Start, vectors: Path) -> Backend:
    """Each side in turn, shared by every test that asks."""
    return start(request.param, "--cache-dir", vectors)


@pytest.fixture(scope="session")
def client(backend: Backend) -> Iterator[httpx.Client]:
    """A client of the shared side."""
    with httpx.Client(base_url=backend.url, timeout=20) as client:
        yield client
