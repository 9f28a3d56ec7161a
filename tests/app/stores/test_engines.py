import asyncio
import gc
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.stores.engines import DatabaseUrlError, engine_of
from app.stores.journal import SqlJournal
from app.stores.records import StoreUnavailableError
from app.stores.sql import SqlStore
from app.stores.sqlite import shared_sqlite_engine
from tests.app.stores.changes import change
from tests.app.stores.test_journal import line
from tests.postgres import PostgresServer, postgres_server, schema_of_its_own

BAD_URLS = {
    "": "must be like postgresql://",
    "crossfade.db": "must be like postgresql://",
    "mysql://secret@host/name": "must be like postgresql://",
    "postgresql:/secret@host/name": "must be like postgresql://",
    "postgresql://user:secret@host": "names no database",
    "postgresql://user:secret@host/": "names no database",
    "postgresql://user:secret@[host/name": "cannot be read",
    "postgresql://user:secret@ho st/name": "must be like .* of a password written as",
    "postgresql://user:secret@host:port/name": "must be like .* of a password written as",
    "postgresql://user:se/secret@host/name": "must be like .* of a password written as",
    "postgresql://user:123/secret@host/name": "must be like .* of a password written as",
    "postgresql://user:#secret@host/name": "must be like .* of a password written as",
    "sqlite://": "names no file",
    "sqlite:///": "names no file",
    "sqlite:///:memory:": "names no file",
    "sqlite://secret.db": "needs a third slash, sqlite:///secret.db",
    "sqlite:///journal.db?mode=ro": "no options",
}
REFUSAL_S = 2.5
FIRST_REFUSAL_S = 10


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_names_no_database_is_refused_with_what_is_wrong(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match=BAD_URLS[url]) as refused:
        engine_of(url)
    assert "CROSSFADE_DATABASE_URL" in str(refused.value)
    assert "secret@" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/name",
        "postgresql://user:p%40ss@[::1]:5433/name?sslmode=require",
        "postgresql://one:5432,other:5433/name?target_session_attrs=primary",
        "postgresql:///name?host=/run/postgresql",
    ],
)
def test_a_url_of_postgres_may_have_all_that_libpq_reads(url: str) -> None:
    engine_of(url)


@pytest.mark.parametrize("form", ["sqlite:///{}", "SQLITE:///{}", " sqlite+aiosqlite:///{}\n"])
async def test_a_sqlite_url_names_a_file_whose_folder_is_made(tmp_path: Path, form: str) -> None:
    file = tmp_path / "new folder" / "journal.db"
    async with SqlJournal(engine_of(form.format(str(file).replace(" ", "%20")))) as journal:
        await journal.check()
    assert file.exists()


async def test_a_relative_sqlite_url_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with SqlJournal(engine_of("sqlite:///journal.db")):
        assert (tmp_path / "journal.db").exists()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Run a Postgres that tests may freeze and kill."""
    with postgres_server() as running:
        yield running


@pytest.fixture
async def journal(server: PostgresServer) -> AsyncIterator[SqlJournal]:
    """Open a journal in it."""
    async with SqlJournal(engine_of(server.url)) as opened:
        yield opened


async def refusal_of(journal: SqlJournal, within: float) -> str:
    """Append what cannot be kept, and give what is said in bounded time."""
    begun = time.monotonic()
    with pytest.raises(StoreUnavailableError) as refused:
        await journal.append([line(1)])
    assert time.monotonic() - begun < within
    return str(refused.value)


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
async def test_every_spelling_of_postgres_opens_it(server: PostgresServer, scheme: str) -> None:
    url = server.url.replace("postgresql", scheme, 1) + "?sslmode=prefer&application_name=ours"
    async with SqlJournal(engine_of(url)) as journal:
        await journal.check()


@pytest.mark.xdist_group("postgres")
async def test_a_frozen_postgres_is_unavailable_in_bounded_time_until_it_goes_on(
    server: PostgresServer, journal: SqlJournal
) -> None:
    await journal.check()
    server.send(signal.SIGSTOP)
    try:
        assert "the database postgres failed: it does not answer" in await refusal_of(journal, FIRST_REFUSAL_S)
        await refusal_of(journal, REFUSAL_S)
    finally:
        server.send(signal.SIGCONT)
    assert await journal.append([line(1)]) == []


@pytest.mark.xdist_group("postgres")
async def test_a_killed_postgres_is_unavailable_at_once_and_used_again_when_it_is_back(
    server: PostgresServer, journal: SqlJournal
) -> None:
    await journal.append([line(1), line(2)])
    server.kill(signal.SIGKILL)
    for _ in range(3):
        assert "the database postgres failed" in await refusal_of(journal, REFUSAL_S)
    with pytest.raises(StoreUnavailableError):
        await SqlJournal(engine_of(server.url)).__aenter__()
    server.start()
    assert await journal.append([line(2), line(3)]) == []
    assert await journal.position("e") == 3


@pytest.mark.xdist_group("postgres")
async def test_a_journal_that_may_be_away_is_opened_without_its_postgres_and_made_when_it_comes(
    server: PostgresServer,
) -> None:
    with schema_of_its_own(server.url) as url:
        server.kill(signal.SIGKILL)
        async with SqlJournal(engine_of(url), may_be_away=True) as journal:
            await refusal_of(journal, REFUSAL_S)
            server.start()
            entries = [line(n) for n in range(1, 9)]
            assert await asyncio.gather(*(journal.append([entry]) for entry in entries)) == [[]] * 8
            assert await journal.position("e") == 8


async def test_a_journal_that_may_be_away_is_still_refused_what_it_cannot_use(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    async with engine_of(url) as engine, AsyncEngine(engine.execution_options(writing=True)).begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE meta (schema_version INTEGER)")
        await connection.exec_driver_sql("INSERT INTO meta VALUES (1000000)")
    with pytest.raises(StoreUnavailableError, match="has schema 1000000"):
        await SqlJournal(engine_of(url), may_be_away=True).__aenter__()


@pytest.mark.xdist_group("postgres")
async def test_a_postgres_killed_under_load_has_every_entry_it_said_it_has(
    server: PostgresServer, journal: SqlJournal
) -> None:
    acknowledged: list[int] = []

    async def append_for_ever() -> None:
        while True:
            await journal.append([line(len(acknowledged) + 1, epoch="load")])
            acknowledged.append(1)
            if len(acknowledged) == 50:
                server.kill(signal.SIGKILL)

    with pytest.raises(StoreUnavailableError):
        await append_for_ever()
    server.start()
    assert await journal.position("load") in (len(acknowledged), len(acknowledged) + 1)


@pytest.mark.xdist_group("postgres")
async def test_an_entry_that_postgres_cannot_keep_is_refused_and_the_connection_stays_of_use(
    journal: SqlJournal,
) -> None:
    with pytest.raises(StoreUnavailableError):
        await journal.append([line(9, "a\0b", epoch="nul")])
    await journal.check()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://user:secret@127.0.0.1:1/name", "database name failed: .*Connect call failed"),
        ("postgresql://user:secret@host.invalid/name", "database name failed"),
        ("postgresql://user:secret@127.0.0.1:1/name?sslmode=wrong", "database name failed: .*sslmode"),
    ],
)
async def test_a_postgres_that_cannot_be_reached_is_refused_without_showing_the_password(url: str, said: str) -> None:
    with pytest.raises(StoreUnavailableError, match=said) as refused:
        await SqlJournal(engine_of(url)).__aenter__()
    assert "secret" not in str(refused.value)


async def test_two_processes_worth_of_stores_write_one_sqlite_file_in_turns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    async with SqlStore(engine_of(url)) as one, SqlStore(engine_of(url)) as other:
        writes = [store.write([change(f"{n}", 0)]) for n, store in enumerate([one, other] * 20)]
        lines = await asyncio.gather(*writes)
        assert sorted(entry.revision or 0 for (entry,) in lines) == list(range(1, 41))
        assert await one.load() == await other.load()


async def test_an_error_that_comes_after_its_caller_has_left_is_not_complained_of(tmp_path: Path) -> None:
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    engine = shared_sqlite_engine(tmp_path / "journal.db", busy_timeout_s=0.2)
    async with SqlJournal(engine) as journal:
        with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            write = asyncio.create_task(journal.append([line(1)]))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            write.cancel()
            with pytest.raises(asyncio.CancelledError):
                await write
            del write
    gc.collect()
    assert complaints == []
