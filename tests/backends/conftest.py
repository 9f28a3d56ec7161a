"""Both sides as real processes, started once; what is slow to make is kept in pytest's own cache, checked by digest."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import httpx
import pytest

from backends.rag.corpus import chunk
from backends.rag.embed import Side, load_embedder
from backends.rag.vectors import load_or_build

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join(path for path in (str(ROOT), os.environ.get("PYTHONPATH")) if path)


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

        def start_side(
            side: Side,
            *arguments: str | Path,
            cwd: Path = ROOT,
            module: str = "backends.rag",
            stderr: int | None = None,
        ) -> Backend:
            command = [sys.executable, "-m", module, side, *map(str, arguments)]
            process = stack.enter_context(
                subprocess.Popen(
                    command, cwd=cwd, env={"PYTHONPATH": PATH}, stdout=subprocess.PIPE, stderr=stderr, text=True
                )
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


@pytest.fixture(scope="session")
def recommend(start: Start) -> Start:
    """Start a side of the recommendation backends."""
    return partial(start, module="backends.recommendation")


@pytest.fixture(scope="session")
def models(request: pytest.FixtureRequest) -> Path:
    """A folder for trained models: the first run trains them."""
    return request.config.cache.mkdir("recommendation-models")


@pytest.fixture(scope="session", params=["legacy", "new"])
def recommender(request: pytest.FixtureRequest, recommend: Start, models: Path) -> Backend:
    """Each side of the recommendation backends in turn, shared by every test that asks."""
    return recommend(request.param, "--cache-dir", models)
