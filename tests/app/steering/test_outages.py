"""Rollouts in the worst hour: Redis or SQL is away, or the process stops in mid-step."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.app.steering.driven import Driven, driven, fast
from tests.inprocess import Script, running
from tests.postgres import PostgresServer, postgres_server
from tests.servers import RedisServer, redis_server

pytestmark = pytest.mark.xdist_group("postgres")

PATIENCE_S = 10.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder, "--appendonly", "yes") as server:
        yield server


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """Run a Postgres."""
    with postgres_server() as server:
        yield server


@pytest.fixture
async def rag(tmp_path: Path, redis: RedisServer, postgres: PostgresServer) -> AsyncIterator[Driven]:
    """Run a service of a fleet with the route `rag`."""
    async with driven(tmp_path / "one", redis_url=redis.url, database_url=postgres.url) as each:
        yield each


async def until(rag: Driven, state: str) -> None:
    """Look, while time stands still, until the rollout is in a state."""
    async with asyncio.timeout(PATIENCE_S):
        while (await rag.state())[0] != state:
            await rag.controller.look()
            await asyncio.sleep(0.02)


async def test_without_sql_nothing_goes_up_and_the_service_stays_ready(rag: Driven, postgres: PostgresServer) -> None:
    await rag.start()
    await rag.calls(200)
    postgres.kill()
    await rag.wait(20)
    assert (await rag.state(), await rag.share()) == (("running", 0), 10)
    assert (await rag.service.client.get("/readyz")).status_code == 200
    shown = await rag.shown()
    assert (shown["progress"], "cannot be read now" in shown["note"]) == (None, True)
    postgres.start()
    async with asyncio.timeout(PATIENCE_S):
        while await rag.state() == ("running", 0):
            await rag.wait(1)
            await asyncio.sleep(0.05)
    assert await rag.state() == ("running", 1)


async def test_without_sql_an_open_breaker_and_a_kill_send_everyone_back_all_the_same(
    rag: Driven, postgres: PostgresServer
) -> None:
    await rag.start(hard_limits={"breaker_open_s": 3})
    postgres.kill()
    await rag.service.ok("POST", "/breakers/rag/new/open", {})
    await rag.wait(8)
    await until(rag, "rolled_back")
    assert await rag.share() == 0
    postgres.start()


async def test_without_redis_it_stands_still_and_goes_on_afterwards(rag: Driven, redis: RedisServer) -> None:
    await rag.start()
    await rag.calls(200)
    redis.kill()
    await rag.wait(10)
    assert (await rag.state(), await rag.share()) == (("running", 0), 10)
    redis.start()
    async with asyncio.timeout(PATIENCE_S):
        while await rag.state() == ("running", 0):
            await rag.wait(1)
            await asyncio.sleep(0.05)
    assert (await rag.state(), await rag.share()) == (("running", 1), 50)


async def test_a_restart_in_mid_step_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    steps = [{"percentage": 50, "min_s": 60, "gates": ["errors"]}, {"percentage": 100, "min_s": 60}]
    async with driven(tmp_path) as rag:
        await rag.start(steps=steps)
        await rag.calls(100)
        await rag.wait(4)
        before, seconds = await rag.shown(), rag.service.time.seconds
    async with running(fast(tmp_path), Script()) as service:
        service.time.seconds = seconds
        again = Driven(service)
        again.id = rag.id
        after = await again.shown()
        assert after["progress"]["gates"] == before["progress"]["gates"]
        assert after["progress"]["units"] == before["progress"]["units"] > 0
        await again.calls(100, (f"other-{number}" for number in range(100)))
        await again.wait(4)
        assert (await again.shown())["progress"]["units"] > before["progress"]["units"]
        await again.wait(60)
        assert await again.state() == ("running", 1)
