"""Fixtures of the service's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.inprocess import Service, running, settings_in


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Run a service with an empty state."""
    async with running(settings_in(tmp_path)) as each:
        yield each
