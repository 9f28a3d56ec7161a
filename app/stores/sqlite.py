"""SQLite files, embedded or shared by a few processes; what is committed survives a crash of any of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import greenlet_spawn

from app.stores.data_dir import held, make_folder, make_private
from app.stores.records import StoreUnavailableError


@asynccontextmanager
async def sqlite_engine(data_dir: Path, busy_timeout_s: float = 5.0) -> AsyncIterator[Engine]:
    """Open `crossfade.db` in a directory that this process then holds. Raises StoreUnavailableError."""
    with held(data_dir):
        async with _engine(data_dir / "crossfade.db", busy_timeout_s) as engine:
            yield engine


@asynccontextmanager
async def shared_sqlite_engine(file: Path, busy_timeout_s: float = 5.0) -> AsyncIterator[Engine]:
    """Open a file that several processes of one machine may have open; on a network disk SQLite's locks do not hold.

    Raises StoreUnavailableError.
    """
    make_folder(file.parent)
    async with _engine(file, busy_timeout_s) as engine:
        yield engine


@asynccontextmanager
async def outcomes_sqlite_engine(file: Path, busy_timeout_s: float = 5.0) -> AsyncIterator[Engine]:
    """Open a file of outcomes, which is not read through at a start: it may be large, and no decision stands on it.

    Raises StoreUnavailableError.
    """
    make_folder(file.parent)
    async with _engine(file, busy_timeout_s, is_checked=False) as engine:
        yield engine


@asynccontextmanager
async def _engine(file: Path, busy_timeout_s: float, *, is_checked: bool = True) -> AsyncIterator[Engine]:
    make_private(file)
    engine = create_engine(
        URL.create("sqlite+aiosqlite", database=str(file)),
        # without an isolation level the driver leaves BEGIN to us
        connect_args={"timeout": busy_timeout_s, "isolation_level": None},
    )
    event.listen(engine, "connect", _make_durable)
    event.listen(engine, "begin", _begin)
    try:
        if is_checked:
            await greenlet_spawn(_refuse_damaged, engine, file)
        yield engine
    finally:
        await greenlet_spawn(engine.dispose)


def _make_durable(connection: DBAPIConnection, _: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Take the write lock at once when writing, since a reader that turns writer can fail half-way."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writing") else "BEGIN")


def _refuse_damaged(engine: Engine, file: Path) -> None:
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    except DBAPIError as error:
        raise StoreUnavailableError(f"{file} cannot be opened: {error.orig}") from error
    if found != "ok":
        what = found.splitlines()[-1]
        raise StoreUnavailableError(f"{file} is damaged: {what}; restore it, or move it away to start empty")
