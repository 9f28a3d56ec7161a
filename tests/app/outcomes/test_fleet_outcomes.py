"""Outcomes of a fleet: one process decides, another is told what came of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.app.outcomes.reporting import PATIENCE_S, decision_of, exported, report
from tests.inprocess import Service, running, settings_in
from tests.postgres import postgres_server, say, schema_of_its_own
from tests.servers import RedisServer, redis_server

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Name the journal of a fleet."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield f"sqlite:///{tmp_path / 'journal.db'}"
        else:
            yield stack.enter_context(schema_of_its_own(stack.enter_context(postgres_server()).url))


@pytest.fixture
async def pair(tmp_path: Path, redis: RedisServer, database_url: str) -> AsyncIterator[tuple[Service, Service]]:
    """Run two services over the same stores, without a signing key of their settings."""
    places = [
        settings_in(
            tmp_path / name, redis_url=redis.url, database_url=database_url, signing_key=None, outcome_flush_s=0.01
        )
        for name in ("one", "other")
    ]
    async with running(places[0]) as one, running(places[1]) as other:
        yield one, other


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_any_process_takes_in_what_came_of_any_decision_and_keeps_it_once(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await one.with_rag(100)
    await until(lambda: "rag" in other.services.live.state.routes)
    outcome = {"decision_id": await decision_of(one), "id": "same", "kind": "like"}
    own = {"decision_id": await decision_of(other), "kind": "like"}
    for service in pair:
        assert (await report(service, outcome, own)).json()["accepted"] == 2
    await exported(one, 3)
    for service in pair:
        kept = await exported(service, 3)
        assert sorted(each["id"] == "same" for each in kept) == [False, False, True]
        assert len({each["unit"] for each in kept}) == 1


async def test_a_process_that_never_met_its_store_marks_its_ids_and_their_outcomes_are_refused(
    tmp_path: Path, redis: RedisServer
) -> None:
    redis.kill()
    seed = tmp_path / "seed.yaml"
    seed.write_text(
        "flags: [{key: f, variants: {new: true, legacy: false}}]\n"
        "routes: [{name: rag, flag: f, backends: {new: {url: 'http://new:2'}, legacy: {url: 'http://legacy:1'}}}]\n"
    )
    settings = settings_in(
        tmp_path / "data", redis_url=redis.url, seed=seed, serve_seed_when_unknown=True, signing_key=None
    )
    async with running(settings) as service:
        decision_id = await decision_of(service)
        assert decision_id.endswith("~unsigned")
        refused = await report(service, {"decision_id": decision_id, "kind": "like"})
        assert [each["code"] for each in refused.json()["refused"]] == ["unsigned_decision"]


async def test_outcomes_are_kept_though_a_newer_process_has_upgraded_the_schema_before_there_were_any(
    pair: tuple[Service, Service], database_url: str
) -> None:
    one, _ = pair
    database, _, schema = database_url.partition("?search_path=")
    upgrade = "UPDATE meta SET schema_version = schema_version + 1"
    if not schema:
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute(upgrade)
    else:
        say(database, f"SET search_path TO {schema}; {upgrade}")
    await one.with_rag(100)
    await report(one, {"decision_id": await decision_of(one), "kind": "like"})
    assert [each["kind"] for each in await exported(one, 1)] == ["like"]
