"""One real service for all tests of the command line, and two ways to run commands against it."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from tests.service import ADMIN, ROOT, RunningService, environment, started

Crossfade = Callable[..., Result]
"""Runs a command in this process; settings by their names in lower case."""

Program = Callable[..., subprocess.CompletedProcess[str]]
"""Runs a command as a process of its own; settings by their names in lower case."""

numbers = itertools.count(1)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run one service for the whole session; tests that change everything put it back."""
    with started(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def crossfade(running: RunningService) -> Crossfade:
    """Run commands as the admin, in this process."""

    def invoke(*arguments: Any, input: str | None = None, **settings: Any) -> Result:  # noqa: A002 - the runner's word
        known = {"url": running.url, "token": ADMIN, **settings}
        env = {f"CROSSFADE_{name.upper()}": None if value is None else str(value) for name, value in known.items()}
        return CliRunner().invoke(app, [*map(str, arguments)], input=input, env=env, catch_exceptions=False)

    return invoke


@pytest.fixture
def program(running: RunningService) -> Program:
    """Run commands as the admin, each as a process."""

    def run(*arguments: Any, cwd: Path = ROOT, **settings: Any) -> subprocess.CompletedProcess[str]:
        known = environment(**{"url": running.url, "token": ADMIN, **settings}) | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, env=known, capture_output=True, text=True, timeout=30, check=False)

    return run


@pytest.fixture
def flag(running: RunningService) -> str:
    """Make a flag with the variants new and legacy, at 0 %, and name it."""
    key = f"flag-{next(numbers)}"
    running.ok("POST", "/flags", {"key": key, "variants": {"new": True, "legacy": False}})
    return key


@pytest.fixture
def route(running: RunningService, flag: str) -> str:
    """Make a route of the flag to backends that are not there, and name it."""
    name = f"route-{next(numbers)}"
    backends = {side: {"url": f"http://127.0.0.1:{port}"} for side, port in (("legacy", 1), ("new", 2))}
    running.ok("POST", "/routes", {"name": name, "flag": flag, "backends": backends})
    return name
