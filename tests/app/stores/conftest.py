"""One suite, every store: `new_keeper_place` has one more parameter, for the live state, than `new_place`."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from app.stores.database import random_epoch
from app.stores.engines import engine_of
from app.stores.records import Change, Entry, Snapshot, Store
from app.stores.redis import RedisStore, redis_client
from app.stores.sql import SqlStore
from app.stores.sqlite import sqlite_engine
from tests.app.stores.live import new_prefix
from tests.postgres import postgres_url, schema_of_its_own
from tests.servers import redis_url

Place = Callable[[], Store]
"""Where one state lives: each call makes a store that opens it."""


class Keeper(Protocol):
    """What a store and the live state do alike."""

    async def load(self) -> Snapshot | None:
        """Return the whole state."""

    async def write(self, changes: Sequence[Change]) -> Sequence[Entry]:
        """Apply all changes or none."""


KeeperPlace = Callable[[], AbstractAsyncContextManager[Keeper]]
"""Where one state lives: each call opens it."""


async def state_of(keeper: Keeper) -> Snapshot:
    """Return the whole state, which is not empty."""
    state = await keeper.load()
    assert state is not None
    return state


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a Redis for all tests and give its URL; each test has a prefix of its own in it."""
    with redis_url(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run a Postgres for all tests and give its URL; each test has a schema of its own in it."""
    with postgres_url() as url:
        yield url


@pytest.fixture
def new_postgres_url(postgres: str) -> Iterator[Callable[[], str]]:
    """Name empty schemas, which are gone after the test."""
    with ExitStack() as schemas:
        yield lambda: schemas.enter_context(schema_of_its_own(postgres))


def _postgres_place(request: pytest.FixtureRequest) -> Place:
    url = request.getfixturevalue("new_postgres_url")()
    return lambda: SqlStore(engine_of(url))


def _sqlite_place(request: pytest.FixtureRequest) -> Place:
    folder: Path = request.getfixturevalue("tmp_path_factory").mktemp("place") / "data"
    return lambda: SqlStore(sqlite_engine(folder))


def _redis_place(request: pytest.FixtureRequest) -> KeeperPlace:
    url, prefix = request.getfixturevalue("redis"), new_prefix()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Keeper]:
        async with redis_client(url) as client:
            store = RedisStore(client, prefix)
            await store.refill(Snapshot(random_epoch(), 0, ()))
            yield store

    return opened


POSTGRES = pytest.param(_postgres_place, id="postgres", marks=pytest.mark.xdist_group("postgres"))


@pytest.fixture(params=[pytest.param(_sqlite_place, id="sqlite"), POSTGRES])
def new_place(request: pytest.FixtureRequest) -> Callable[[], Place]:
    """Make empty places for one kind of store."""
    return lambda: request.param(request)


@pytest.fixture(params=[pytest.param(_sqlite_place, id="sqlite"), POSTGRES, pytest.param(_redis_place, id="redis")])
def new_keeper_place(request: pytest.FixtureRequest) -> Callable[[], KeeperPlace]:
    """Make empty places for one kind of store, or for the live state."""
    return lambda: request.param(request)


@pytest.fixture
def place(new_place: Callable[[], Place]) -> Place:
    """Name one empty place."""
    return new_place()


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """Open a store on an empty place."""
    async with place() as opened:
        yield opened


@pytest.fixture
def keeper_place(new_keeper_place: Callable[[], KeeperPlace]) -> KeeperPlace:
    """Name one empty place."""
    return new_keeper_place()


@pytest.fixture
async def keeper(keeper_place: KeeperPlace) -> AsyncIterator[Keeper]:
    """Open what keeps documents on an empty place."""
    async with keeper_place() as opened:
        yield opened
