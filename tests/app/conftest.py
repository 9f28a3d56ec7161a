"""Fixtures of the service's tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.inprocess import Service, running, settings_in

Run = Callable[[Coroutine[Any, Any, None]], None]
"""Runs a coroutine to its end."""


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Run a service with an empty state."""
    async with running(settings_in(tmp_path)) as each:
        yield each


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Run a coroutine in each of the event loops that the service may run in."""

    def in_loop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(main, 10))

    return in_loop
