"""Redis comes back with an older state: the journal knows better, and what was acknowledged stays."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis import Redis

from tests.inprocess import Service, running, settings_in
from tests.postgres import PostgresServer, postgres_server
from tests.servers import RedisServer, redis_server

pytestmark = pytest.mark.xdist_group("postgres")

PATIENCE_S = 10.0


class Dumped:
    """A Redis that keeps a dump, and can be killed and started again with an older one."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._dump = server.folder / "dump.rdb"
        self._older = server.folder / "older.rdb"
        self.url = server.url

    def remember(self) -> None:
        """Put a copy of what is there aside."""
        with Redis.from_url(self.url) as client:
            client.save()
        shutil.copy(self._dump, self._older)

    def empty(self) -> None:
        """Start again with nothing."""
        self._server.kill()
        self._dump.unlink(missing_ok=True)
        self._server.start()

    def go_back(self) -> None:
        """Start again with the copy."""
        self._server.kill()
        shutil.copy(self._older, self._dump)
        self._server.start()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Dumped]:
    """Run a Redis with a dump."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield Dumped(server)


@asynccontextmanager
async def pair_of(tmp_path: Path, redis: Dumped, **settings: str) -> AsyncIterator[tuple[Service, Service]]:
    """Run two services over the same stores."""
    shared = settings_in(tmp_path / "data", redis_url=redis.url, **settings)
    async with running(shared) as one, running(shared) as other:
        yield one, other


def percentage(service: Service) -> float:
    """Return what this process has in force, without asking any store."""
    flag = service.services.live.state.ruleset.document("rag-v2")
    return -1 if flag is None or flag.default.split is None else flag.default.split[0].weight / 1000


def epoch(service: Service) -> str:
    """Return the epoch of what this process has in force."""
    return service.services.live.state.ruleset.epoch


async def until_another_epoch(services: tuple[Service, ...], before: str) -> list[float]:
    """Wait until all have left an epoch, and return every percentage that one of them had on the way."""
    seen = []
    async with asyncio.timeout(PATIENCE_S):
        while any(epoch(each) == before for each in services):
            seen += [percentage(each) for each in services]
            await asyncio.sleep(0.002)
    return seen


async def written(service: Service, share: float) -> None:
    """Set the percentage, as soon as the service reaches its store."""
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": share})).status_code == 503:
            await asyncio.sleep(0.01)
    assert answer.status_code == 200


async def test_an_older_redis_is_brought_up_from_the_journal_and_nobody_moves(tmp_path: Path, redis: Dumped) -> None:
    async with pair_of(tmp_path, redis) as (one, other):
        await one.with_rag(10)
        redis.remember()
        await one.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 60})
        await one.ok("POST", "/flags", {"key": "later"})
        before = epoch(one)
        async with asyncio.timeout(PATIENCE_S):
            while percentage(other) != 60:
                await asyncio.sleep(0)
        redis.go_back()
        assert {*await until_another_epoch((one, other), before)} <= {60.0}
        assert [percentage(each) for each in (one, other)] == [60, 60]
        await other.ok("GET", "/flags/later")
        flag = await other.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 70})
        history = (await one.ok("GET", "/flags/rag-v2/history"))["items"]
        assert [item["version"] for item in history] == [flag["version"], 3, 2, 1]


async def test_a_write_into_an_older_redis_stands_on_what_was_acknowledged(tmp_path: Path, redis: Dumped) -> None:
    async with pair_of(tmp_path, redis) as (one, _):
        await one.with_rag(10)
        redis.remember()
        await one.ok("POST", "/flags", {"key": "later"})
        redis.go_back()
        await written(one, 70)
        await one.ok("GET", "/flags/later")
        history = (await one.ok("GET", "/flags/rag-v2/history"))["items"]
        assert [item["version"] for item in history] == [3, 2, 1]


async def test_a_process_that_starts_on_an_older_redis_asks_the_journal(tmp_path: Path, redis: Dumped) -> None:
    settings = settings_in(tmp_path / "data", redis_url=redis.url)
    async with running(settings) as before:
        await before.with_rag(10)
        redis.remember()
        await before.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 60})
    redis.go_back()
    async with running(settings) as after:
        assert percentage(after) == 60


async def test_a_redis_of_an_older_epoch_is_an_older_redis(tmp_path: Path, redis: Dumped) -> None:
    async with pair_of(tmp_path, redis) as (one, other):
        await one.with_rag(10)
        redis.remember()
        first = epoch(one)
        redis.empty()
        await until_another_epoch((one, other), first)
        await written(one, 60)
        second = epoch(one)
        redis.go_back()
        assert 10.0 not in await until_another_epoch((one,), second)
        assert percentage(one) == 60
        assert epoch(one) != first


async def test_a_token_that_was_revoked_stays_revoked_with_an_older_redis(tmp_path: Path, redis: Dumped) -> None:
    async with pair_of(tmp_path, redis) as (one, other):
        token = (await one.ok("POST", "/tokens", {"id": "ci", "role": "read"}))["token"]
        redis.remember()
        await one.ok("DELETE", "/tokens/ci")
        before = epoch(one)
        redis.go_back()
        await until_another_epoch((one, other), before)
        for each in (one, other):
            async with each.token(token) as client:
                assert (await client.get("/flags")).status_code == 401


async def test_a_full_redis_refuses_changes_and_takes_kills_later(tmp_path: Path, redis: Dumped) -> None:
    async with pair_of(tmp_path, redis) as pair:
        await pair[0].with_rag(10)
        with Redis.from_url(redis.url, decode_responses=True) as client:
            client.config_set("maxmemory", 1)
            refused = await pair[0].ask("PUT", "/flags/rag-v2/rollout", {"percentage": 5})
            assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
            killed = await pair[0].ask("POST", "/flags/rag-v2/kill", {"reason": "night"})
            assert (killed.status_code, killed.headers["x-crossfade-durability"]) == (201, "sql")
            async with asyncio.timeout(PATIENCE_S):
                while not all(each.services.live.state.ruleset.is_killed("rag-v2") for each in pair):
                    await asyncio.sleep(0.01)
                client.config_set("maxmemory", 0)
                while not client.hexists("{crossfade}:documents", f"kill/{killed.json()['id']}"):
                    await asyncio.sleep(0.01)


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """Run a Postgres that can be killed."""
    with postgres_server() as server:
        yield server


async def test_without_the_journal_an_older_redis_waits_and_memory_decides(
    tmp_path: Path, redis: Dumped, postgres: PostgresServer
) -> None:
    async with pair_of(tmp_path, redis, database_url=postgres.url) as (one, other):
        await one.with_rag(10)
        redis.remember()
        await one.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 60})
        before = epoch(one)
        postgres.kill()
        redis.go_back()
        refused = await one.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 70})
        assert (refused.status_code, percentage(one)) == (503, 60)
        killed = await one.ask("POST", "/flags/rag-v2/kill", {"reason": "night"})
        assert killed.status_code == 201
        postgres.start()
        assert 10.0 not in await until_another_epoch((one,), before)
        assert percentage(one) == 60
        async with asyncio.timeout(PATIENCE_S):
            while not all(each.services.live.state.ruleset.is_killed("rag-v2") for each in (one, other)):
                await asyncio.sleep(0.01)
