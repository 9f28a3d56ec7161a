"""`crossfade db upgrade` and `crossfade restore`, with real stores and services that run meanwhile."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.stores.redis import RedisStore, redis_client
from app.stores.schema import SCHEMA_VERSION
from tests.inprocess import Service, running, settings_in
from tests.servers import RedisServer, free_port, redis_server

PATIENCE_S = 10.0

Run = Callable[..., Coroutine[Any, Any, Result]]
"""Runs a command against the stores of a test, in a thread of its own."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis that forgets everything when it dies."""
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def journal(tmp_path: Path) -> str:
    """Name a journal that nobody has made yet."""
    return f"sqlite:///{tmp_path / 'journal.db'}"


def command(*arguments: str, **settings: str) -> Result:
    """Run a command with these settings."""
    env = {f"CROSSFADE_{name.upper()}": value for name, value in settings.items()}
    return CliRunner().invoke(app, arguments, env=env, catch_exceptions=False)


@pytest.fixture
def run(redis: RedisServer, journal: str) -> Run:
    """Run commands against the test's own Redis and journal."""

    async def invoke(*arguments: str, **settings: str) -> Result:
        known = {"redis_url": redis.url, "database_url": journal} | settings
        return await asyncio.to_thread(command, *arguments, **known)

    return invoke


@pytest.fixture
async def pair(tmp_path: Path, redis: RedisServer, journal: str) -> AsyncIterator[tuple[Service, Service]]:
    """Run two services over the same stores."""
    settings = settings_in(tmp_path / "data", redis_url=redis.url, database_url=journal)
    async with running(settings) as one, running(settings) as other:
        yield one, other


def place(service: Service) -> tuple[str, int]:
    """Say where this process is, without asking any store."""
    ruleset = service.services.live.state.ruleset
    return ruleset.epoch, ruleset.revision


def weight(service: Service) -> int:
    """Return the percentage in force, in hundred-thousandths."""
    flag = service.services.live.state.ruleset.document("rag-v2")
    return -1 if flag is None or flag.default.split is None else flag.default.split[0].weight


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop go on until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0)


async def test_a_state_is_replaced_by_the_journals_and_services_that_run_follow(
    pair: tuple[Service, Service], run: Run
) -> None:
    one, other = pair
    await one.with_rag(40)
    await until(lambda: weight(other) == 40_000)
    before = place(one)
    refused = await run("restore")
    assert (refused.exit_code, refused.stdout) == (5, "")
    assert f"epoch {before[0]}, revision {before[1]}" in refused.stderr
    assert "--replace" in refused.stderr
    assert place(one) == before
    restored = await run("restore", "--replace", "--yes", "--json")
    told = json.loads(restored.stdout)
    assert (restored.exit_code, restored.stderr, told["restored"]) == (0, "", True)
    assert told["journal"]["epoch"] == told["redis"]["epoch"] == before[0]
    await until(lambda: {place(one), place(other)} == {(told["epoch"], 0)})
    flag = await other.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 60})
    assert flag["version"] == 3
    await until(lambda: weight(one) == 60_000)


async def test_a_dry_run_tells_what_there_is_and_writes_nothing(pair: tuple[Service, Service], run: Run) -> None:
    one, _ = pair
    await one.with_rag(40)
    before = place(one)
    shown = await run("restore", "--dry-run")
    assert shown.exit_code == 0
    words = " ".join(shown.stdout.split())
    assert f"Journal epoch {before[0]}, revision {before[1]}" in words
    assert "documents 2" in words
    assert shown.stdout.endswith("Nothing was written: this was a dry run.\n")
    told = json.loads((await run("restore", "--dry-run", "--json")).stdout)
    assert (told["restored"], told["documents"], told["redis"]["missing_in_journal"]) == (False, 2, 0)
    assert (await one.ok("GET", "/readyz"))["epoch"] == before[0]


async def test_an_empty_redis_is_filled_with_versions_that_go_on(
    tmp_path: Path, redis: RedisServer, journal: str, run: Run
) -> None:
    settings = settings_in(tmp_path / "data", redis_url=redis.url, database_url=journal)
    async with running(settings) as service:
        await service.with_rag(40)
        await service.ok("POST", "/flags", {"key": "gone"})
        await service.ok("DELETE", "/flags/gone", if_match="1")
        await service.ok("POST", "/flags/rag-v2/kill", {"reason": "night"})
        before = place(service)
    redis.kill()
    redis.start()
    restored = await run("restore")
    assert restored.exit_code == 0
    assert "Restored 3 documents under the new epoch" in restored.stdout
    async with running(settings) as service:
        assert place(service)[0] != before[0]
        assert (await service.ok("GET", "/kill-switch"))["killed"]
        assert (await service.ok("POST", "/flags", {"key": "gone"}))["version"] == 3


async def test_a_change_that_comes_between_looking_and_replacing_is_not_lost(
    pair: tuple[Service, Service], redis: RedisServer
) -> None:
    one, _ = pair
    await one.with_rag(40)
    async with redis_client(redis.url) as client:
        store = RedisStore(client)
        seen, state = await store.mark(), await store.load()
        assert seen is not None
        assert state is not None
        await one.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 41})
        assert not await store.refill(state, over=seen)
        assert await store.refill(state, over=await store.mark())


async def test_without_a_terminal_replacing_has_to_be_agreed_to_beforehand(
    pair: tuple[Service, Service], run: Run
) -> None:
    await pair[0].with_rag(40)
    before = place(pair[0])
    refused = await run("restore", "--replace")
    assert (refused.exit_code, "--yes" in refused.stderr) == (2, True)
    assert (await pair[0].ok("GET", "/readyz"))["epoch"] == before[0]


async def test_an_empty_journal_restores_nothing_over_something(
    pair: tuple[Service, Service], run: Run, tmp_path: Path
) -> None:
    await pair[0].with_rag(40)
    before = place(pair[0])
    refused = await run("restore", "--replace", "--yes", database_url=f"sqlite:///{tmp_path / 'none.db'}")
    assert (refused.exit_code, "nothing to restore" in refused.stderr) == (1, True)
    assert (await pair[0].ok("GET", "/readyz"))["epoch"] == before[0]


WRONG: list[tuple[tuple[str, ...], dict[str, str], int, str]] = [
    (("restore",), {"redis_url": "", "database_url": "sqlite:////x"}, 2, "CROSSFADE_REDIS_URL is not set"),
    (("restore",), {"redis_url": "redis://h", "database_url": ""}, 2, "CROSSFADE_DATABASE_URL is not set"),
    (("restore",), {"redis_url": "http://h", "database_url": "sqlite:////x"}, 2, "CROSSFADE_REDIS_URL must be like"),
    (("restore",), {"redis_url": "redis://h/?x=1", "database_url": "sqlite:////x"}, 2, "CROSSFADE_REDIS_URL must be"),
    (("restore",), {"redis_url": "redis://:secret@h:p", "database_url": "sqlite:////x"}, 2, "CROSSFADE_REDIS_URL"),
    (("restore",), {"redis_url": "redis://127.0.0.1:1", "database_url": "mysql://h/x"}, 2, "CROSSFADE_DATABASE_URL"),
    (("db", "upgrade"), {"database_url": ""}, 2, "CROSSFADE_DATABASE_URL is not set"),
    (("db", "upgrade"), {"database_url": "postgres://me:secret@h"}, 2, "names no database"),
    (("db", "upgrade"), {"database_url": "postgresql://me:secret@127.0.0.1:1/x"}, 3, "the database x failed"),
]


@pytest.mark.parametrize(("arguments", "settings", "code", "told"), WRONG)
def test_what_is_wrong_is_one_error_that_names_the_setting_and_shows_no_password(
    arguments: tuple[str, ...], settings: dict[str, str], code: int, told: str
) -> None:
    result = command(*arguments, **settings)
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr
    assert "secret" not in result.stderr


async def test_a_redis_that_is_away_ends_with_3(run: Run) -> None:
    result = await run("restore", redis_url=f"redis://127.0.0.1:{free_port()}/0")
    assert (result.exit_code, result.stderr.startswith("Error: Redis failed: ")) == (3, True)


def test_an_upgrade_says_from_where_to_where(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    url = f"sqlite:///{file}"
    made = command("db", "upgrade", database_url=url)
    assert (made.exit_code, made.stdout) == (0, f"The database was empty and has schema {SCHEMA_VERSION} now.\n")
    again = command("db", "upgrade", database_url=url)
    assert (again.exit_code, again.stdout) == (0, f"The database has schema {SCHEMA_VERSION} already.\n")
    shown = command("db", "upgrade", "--json", database_url=url)
    assert json.loads(shown.stdout) == {"from": SCHEMA_VERSION, "to": SCHEMA_VERSION}


def test_a_schema_of_a_newer_version_is_refused_with_1(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    command("db", "upgrade", database_url=url)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database, database:
        database.execute("UPDATE meta SET schema_version = 1000000")
    refused = command("db", "upgrade", database_url=url)
    assert (refused.exit_code, "has schema 1000000" in refused.stderr) == (1, True)


async def test_an_upgrade_waits_until_another_is_done(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    await asyncio.to_thread(command, "db", "upgrade", database_url=url)
    with closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE meta SET schema_version = 1")
        waiting = asyncio.create_task(asyncio.to_thread(command, "db", "upgrade", "--json", database_url=url))
        done, _ = await asyncio.wait([waiting], timeout=0.5)
        assert not done
        other.execute("ROLLBACK")
    assert json.loads((await waiting).stdout) == {"from": SCHEMA_VERSION, "to": SCHEMA_VERSION}
