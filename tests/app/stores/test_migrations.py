import asyncio
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from app.stores.engines import engine_of, upgrade
from app.stores.journal import SqlJournal
from app.stores.records import StoreUnavailableError
from app.stores.schema import METADATA, SCHEMA_VERSION
from app.stores.sql import SqlStore
from app.stores.upgrade import MIGRATIONS
from tests.app.stores.changes import change

FIRST_SCHEMA = """
CREATE TABLE meta (epoch VARCHAR NOT NULL, revision INTEGER NOT NULL, schema_version INTEGER NOT NULL);
CREATE TABLE documents (collection VARCHAR NOT NULL, "key" VARCHAR NOT NULL, version INTEGER NOT NULL,
    body TEXT NOT NULL, updated_at VARCHAR NOT NULL, updated_by VARCHAR NOT NULL, PRIMARY KEY (collection, "key"));
CREATE TABLE journal (seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, epoch VARCHAR NOT NULL, revision INTEGER,
    at VARCHAR NOT NULL, actor VARCHAR NOT NULL, action VARCHAR NOT NULL, collection VARCHAR NOT NULL,
    "key" VARCHAR NOT NULL, version INTEGER, body TEXT, reason VARCHAR NOT NULL, UNIQUE (epoch, revision));
CREATE UNIQUE INDEX journal_versions ON journal (collection, "key", version);
INSERT INTO meta VALUES ('first', 1, 1);
INSERT INTO documents VALUES ('flag', 'a', 1, '{}', '2026-03-29T01:30:00.123456+00:00', 'mina');
INSERT INTO journal VALUES (1, 'first', 1, '2026-03-29T01:30:00.123456+00:00', 'mina', 'create', 'flag', 'a', 1, '{}',
    'because');
"""
"""What the first program, which knew no migrations, left behind after one write."""

OPEN = "import asyncio, sys; from app.stores.engines import upgrade; input(); asyncio.run(upgrade(sys.argv[1]))"
PROCESSES = 4


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Name an empty database of one kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    new_url: Callable[[], str] = request.getfixturevalue("new_postgres_url")
    return new_url()


async def asked(url: str, question: Callable[[Connection], Any]) -> Any:
    """Ask a database something, in a transaction."""
    async with engine_of(url) as engine, AsyncEngine(engine.execution_options(writing=True)).begin() as connection:
        return await connection.run_sync(question)


def execute(script: str) -> Callable[[Connection], None]:
    """Run statements one by one."""

    def statements(connection: Connection) -> None:
        for statement in filter(str.strip, script.split(";")):
            connection.exec_driver_sql(statement)

    return statements


def differences(connection: Connection) -> Any:
    """List how the tables found differ from those the program knows."""

    def is_ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or name in METADATA.tables

    return compare_metadata(MigrationContext.configure(connection, opts={"include_object": is_ours}), METADATA)


def test_the_schema_version_is_the_number_of_the_last_migration() -> None:
    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    assert [int(step.revision) for step in script.walk_revisions()] == list(range(SCHEMA_VERSION, 0, -1))


async def test_the_migrations_make_the_tables_that_the_program_knows(url: str) -> None:
    await upgrade(url)
    assert await asked(url, differences) == []


async def test_what_the_first_program_made_is_upgraded_and_kept(url: str) -> None:
    statements = FIRST_SCHEMA
    if url.startswith("postgresql"):
        statements = statements.replace("INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "SERIAL PRIMARY KEY")
        statements = statements.replace("revision INTEGER", "revision BIGINT").replace(
            "version INTEGER", "version BIGINT"
        )
        statements = statements.replace("SERIAL", "BIGSERIAL").replace(
            "schema_version BIGINT", "schema_version INTEGER"
        )
        statements += "SELECT setval('journal_seq_seq', 1);"
    await asked(url, execute(statements))
    async with SqlStore(engine_of(url)) as store:
        state = await store.load()
        assert (state.epoch, state.revision, [each.key for each in state.documents]) == ("first", 1, ["a"])
        (second,) = await store.write([change("a", 1)])
        assert (second.seq, second.revision, second.version) == (2, 2, 2)
    assert await asked(url, differences) == []


async def test_upgrading_again_changes_nothing(url: str) -> None:
    async with SqlStore(engine_of(url)) as store:
        await store.write([change("a", 0)])
        before = await store.load()
    await upgrade(url)
    async with SqlStore(engine_of(url)) as store:
        assert await store.load() == before


async def test_a_newer_schema_is_refused_and_left_alone(url: str) -> None:
    await upgrade(url)
    await asked(url, execute("UPDATE meta SET schema_version = schema_version + 1; DROP TABLE documents"))
    for opening in (SqlStore(engine_of(url)), SqlJournal(engine_of(url))):
        with pytest.raises(StoreUnavailableError, match=f"has schema {SCHEMA_VERSION + 1}, this program reads up to"):
            await opening.__aenter__()
    with pytest.raises(StoreUnavailableError, match="has schema"):
        await upgrade(url)


async def test_processes_that_upgrade_at_once_all_succeed_and_do_it_once(url: str) -> None:
    command = [sys.executable, "-c", OPEN, url]
    starting = [asyncio.create_subprocess_exec(*command, stdin=PIPE, stderr=PIPE) for _ in range(PROCESSES)]
    processes = await asyncio.gather(*starting)
    said = await asyncio.gather(*(process.communicate(b"now\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * PROCESSES, said
    assert await asked(url, lambda c: c.exec_driver_sql("SELECT count(*) FROM meta").scalar_one()) == 1


async def test_stores_that_open_at_once_in_one_process_do_not_take_each_others_steps(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / f'{n}.db'}" for n in range(4)]
    await asyncio.gather(*map(upgrade, urls))
    assert [await asked(url, differences) for url in urls] == [[]] * 4


async def test_a_step_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(FIRST_SCHEMA + "DROP INDEX journal_versions;")
        before = connection.execute("SELECT * FROM sqlite_schema").fetchall()
    with pytest.raises(StoreUnavailableError, match="no such index"):
        await upgrade(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT * FROM sqlite_schema").fetchall() == before
