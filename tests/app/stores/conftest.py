"""One suite, every store: `new_place` has one parameter for each kind of store there is."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.stores.records import Store
from app.stores.sql import SqlStore
from app.stores.sqlite import sqlite_engine

Place = Callable[[], Store]
"""Where one state lives: each call makes a store that opens it."""


def _sqlite_place(folder: Path) -> Place:
    return lambda: SqlStore(sqlite_engine(folder))


@pytest.fixture(params=[pytest.param(_sqlite_place, id="sqlite")])
def new_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Place]:
    """Make empty places for one kind of store."""
    return lambda: request.param(tmp_path_factory.mktemp("place") / "data")


@pytest.fixture
def place(new_place: Callable[[], Place]) -> Place:
    """Name one empty place."""
    return new_place()


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """Open a store on an empty place."""
    async with place() as opened:
        yield opened
