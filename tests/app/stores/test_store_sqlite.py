import asyncio
import os
import resource
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.util import greenlet_spawn

from app.stores.records import StoreUnavailableError
from app.stores.schema import SCHEMA_VERSION
from app.stores.sql import SqlStore
from app.stores.sqlite import sqlite_engine
from tests.app.stores.changes import change

NOBODY = 65534


async def fill(folder: Path) -> None:
    """Keep 50 documents in a folder and close it."""
    async with SqlStore(sqlite_engine(folder)) as store:
        await store.write([change(f"{n}", 0, "x" * 1000) for n in range(50)])


async def refusal_of(folder: Path) -> str:
    """Open what cannot be opened, and give what is said; no thread is left behind."""
    threads = set(threading.enumerate())
    with pytest.raises(StoreUnavailableError) as refused:
        await SqlStore(sqlite_engine(folder)).__aenter__()
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=5)
        assert not thread.is_alive()
    return str(refused.value)


async def test_everything_kept_is_private(tmp_path: Path) -> None:
    async with SqlStore(sqlite_engine(tmp_path / "data")) as store:
        await store.write([change("a", 0)])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "data").iterdir()}
    assert modes == dict.fromkeys(["crossfade.db", "crossfade.db-shm", "crossfade.db-wal", "lock"], 0o600)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


async def test_every_connection_syncs_its_log_before_it_answers(tmp_path: Path) -> None:
    def settings_of_two(engine: Engine) -> list[list[object]]:
        pragmas = ("journal_mode", "synchronous", "busy_timeout")
        with engine.connect() as one, engine.connect() as other:
            return [
                [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for pragma in pragmas]
                for connection in (one, other)
            ]

    async with sqlite_engine(tmp_path) as engine:
        assert await greenlet_spawn(settings_of_two, engine) == [["wal", 2, 5000]] * 2


async def test_one_process_opens_a_directory_once(tmp_path: Path) -> None:
    async with SqlStore(sqlite_engine(tmp_path)):
        assert f"pid {os.getpid()}" in await refusal_of(tmp_path)
    async with SqlStore(sqlite_engine(tmp_path)) as store:
        await store.check()


async def test_writers_are_served_in_the_order_they_came(tmp_path: Path) -> None:
    async with SqlStore(sqlite_engine(tmp_path)) as store:
        lines = await asyncio.gather(*(store.write([change(f"{n}", 0)]) for n in range(20)))
    assert [line.revision for (line,) in lines] == list(range(1, 21))


async def test_the_epoch_is_named_once_for_each_file(tmp_path: Path) -> None:
    for names in (["first"], []):
        async with SqlStore(sqlite_engine(tmp_path), new_epoch=names.pop) as store:
            assert (await store.load()).epoch == "first"


@pytest.mark.parametrize("content", [b"not a database, just text\n" * 500, b"\0" * 8192, b"SQLite format 3\0"])
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "crossfade.db"
    file.write_bytes(content)
    said = await refusal_of(tmp_path)
    assert said == f"{file} cannot be opened: file is not a database"
    assert file.read_bytes() == content


async def test_a_database_with_lost_pages_is_refused(tmp_path: Path) -> None:
    await fill(tmp_path)
    file = tmp_path / "crossfade.db"
    os.truncate(file, file.stat().st_size // 2)
    assert await refusal_of(tmp_path) == f"{file} cannot be opened: database disk image is malformed"


async def test_a_database_with_overwritten_pages_is_refused(tmp_path: Path) -> None:
    await fill(tmp_path)
    file = tmp_path / "crossfade.db"
    whole = file.read_bytes()
    for page in range(1, len(whole) // 4096):
        file.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
        refusal = await refusal_of(tmp_path)
        # a page of the schema itself keeps SQLite from looking at any other
        is_told = f"{file} is damaged: Page {page + 1}: " in refusal
        assert is_told or f"{file} cannot be opened: database disk image is malformed" in refusal


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    await fill(tmp_path)
    with closing(sqlite3.connect(tmp_path / "crossfade.db", isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET schema_version = ?", (SCHEMA_VERSION + 1,))
        connection.execute("DROP TABLE documents")
    assert f"has schema {SCHEMA_VERSION + 1}, this program reads up to {SCHEMA_VERSION}" in await refusal_of(tmp_path)
    with closing(sqlite3.connect(tmp_path / "crossfade.db")) as connection:
        assert ("documents",) not in connection.execute("SELECT name FROM sqlite_schema").fetchall()


async def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert await refusal_of(tmp_path / "data") == f"{tmp_path / 'data'} cannot be used: File exists"
    assert "cannot be used: Not a directory" in await refusal_of(tmp_path / "data" / "below")


async def test_a_directory_in_the_place_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crossfade.db").mkdir()
    assert await refusal_of(tmp_path) == f"{tmp_path / 'crossfade.db'} cannot be used: Is a directory"


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """Make a folder that the tests' user cannot write, even when the tests run as root."""
    folder, user = Path(tempfile.mkdtemp()), os.geteuid()
    folder.chmod(0o555)
    os.seteuid(user or NOBODY)
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


async def test_a_directory_that_cannot_be_written_is_refused(read_only_folder: Path) -> None:
    assert f"{read_only_folder} cannot be used: Permission denied" in await refusal_of(read_only_folder)
    assert "cannot be used: Permission denied" in await refusal_of(read_only_folder / "data")


async def test_a_database_locked_by_a_tool_is_unavailable_until_it_lets_go(tmp_path: Path) -> None:
    async with SqlStore(sqlite_engine(tmp_path, busy_timeout_s=0.01)) as store:
        with closing(sqlite3.connect(tmp_path / "crossfade.db", isolation_level=None)) as tool:
            tool.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match=r"crossfade\.db failed: database is locked"):
                await store.write([change("a", 0)])
            assert (await store.load()).documents == ()
        await store.write([change("a", 0)])


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_refuses_whole_writes_until_there_is_room(tmp_path: Path) -> None:
    async with SqlStore(sqlite_engine(tmp_path)) as store:
        await store.write([change("a", 0)])
        before = await store.load()
        with largest_file(200_000):
            for size in (150_000, 3_000_000):
                with pytest.raises(StoreUnavailableError, match=r"failed: (database or disk is full|disk I/O error)"):
                    await store.write([change(f"{n}", 0, "x" * size) for n in range(3)])
                assert await store.load() == before
        await store.write([change("a", 1, "x" * 300_000)])
    async with SqlStore(sqlite_engine(tmp_path)) as store:
        assert [document.version for document in (await store.load()).documents] == [2]
