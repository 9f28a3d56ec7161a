"""The kill switch in the worst hour: Redis, SQL or both are away, and services share what is left."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from redis.asyncio import Redis

from tests.app.cuttable import Line, line_to
from tests.inprocess import Service, running, settings_in
from tests.postgres import PostgresServer, postgres_server
from tests.servers import RedisServer, redis_server

pytestmark = pytest.mark.xdist_group("postgres")

PATIENCE_S = 10.0
AT_ONCE_S = 0.5
REDIS_UP_S, REDIS_DOWN_S = 1.0, 3.0
ACKNOWLEDGED_S = 2.5


class World(NamedTuple):
    """Two real servers, which can be killed, frozen and started again."""

    folder: Path
    redis: RedisServer
    postgres: PostgresServer

    @asynccontextmanager
    async def services(self, count: int = 2) -> AsyncIterator[list[Service]]:
        """Run services over both, each reaching them straight."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.service(f"{number}")) for number in range(count)]

    @asynccontextmanager
    async def service(
        self, name: str, redis: Line | None = None, postgres: Line | None = None
    ) -> AsyncIterator[Service]:
        """Run one service, over lines of its own if there are any."""
        redis_url, database_url = self.redis.url, self.postgres.url
        if redis:
            redis_url = redis_url.replace(f":{self.redis.port}", f":{redis.port}")
        if postgres:
            database_url = database_url.replace(f":{self.postgres.port}", f":{postgres.port}")
        async with running(settings_in(self.folder / name, redis_url=redis_url, database_url=database_url)) as each:
            yield each


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Run a Redis that forgets everything when it dies, unless it is told to save, and a Postgres that does not."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as redis, postgres_server() as postgres:
        yield World(tmp_path, redis, postgres)


@contextmanager
def failing(server: RedisServer | PostgresServer, fault: signal.Signals) -> Iterator[None]:
    """Freeze a server, or kill it, until the end of the block."""
    is_frozen = fault is signal.SIGSTOP
    server.send(fault) if is_frozen else server.kill()
    try:
        yield
    finally:
        server.send(signal.SIGCONT) if is_frozen else server.start()


def is_killed(service: Service) -> bool:
    """Say what this process has in force, without asking any store."""
    return service.services.live.state.ruleset.is_killed("rag-v2")


async def until(services: list[Service], *, killed: bool, within_s: float = PATIENCE_S) -> None:
    """Wait until all have the flag killed, or alive."""
    async with asyncio.timeout(within_s):
        while any(is_killed(each) is not killed for each in services):
            await asyncio.sleep(0.002)


async def until_known(services: list[Service]) -> None:
    """Wait until all know the flag."""
    async with asyncio.timeout(PATIENCE_S):
        while any(each.services.live.state.ruleset.document("rag-v2") is None for each in services):
            await asyncio.sleep(0.002)


async def released_in_redis(world: World) -> list[bool]:
    """Look into Redis itself: for every kill there, whether it is released."""
    async with Redis.from_url(world.redis.url, decode_responses=True) as client:
        documents = await client.hgetall("{crossfade}:documents")
    return ['"released":' in text for name, text in documents.items() if name.startswith("kill/")]


async def until_redis_has(world: World, released: list[bool]) -> None:
    """Wait until Redis has these kills, released or not."""
    async with asyncio.timeout(PATIENCE_S):
        while await released_in_redis(world) != released:
            await asyncio.sleep(0.01)


async def kill(service: Service) -> float:
    """Kill the flag and return how long the acknowledgement took, in seconds; the process itself obeys at once."""
    await until_known([service])
    began = time.monotonic()
    answer = asyncio.create_task(service.ok("POST", "/flags/rag-v2/kill", {"reason": "night"}))
    await until([service], killed=True, within_s=AT_ONCE_S)
    await answer
    return time.monotonic() - began


async def release(service: Service) -> None:
    """Release the flag, which is killed once."""
    answer = await service.ok("DELETE", "/flags/rag-v2/kill", {"reason": "fixed"})
    assert len(answer["released"]) == 1


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "frozen"])
async def test_without_redis_a_kill_goes_through_sql_and_is_in_redis_when_that_is_back(
    world: World, fault: signal.Signals
) -> None:
    async with world.services(3) as services:
        await services[0].with_rag(100)
        await until_known(services)
        with failing(world.redis, fault):
            began = time.monotonic()
            assert await kill(services[0]) < ACKNOWLEDGED_S
            await until(services, killed=True, within_s=began + REDIS_DOWN_S - time.monotonic())
            for each in services:
                refused = await each.ask("PATCH", "/flags/rag-v2", {"default": {"variant": "new"}}, if_match="*")
                assert (refused.status_code, refused.json()["code"]) == (409, "killed")
        await until_redis_has(world, [False])
        assert all(is_killed(each) for each in services)
        await release(services[1])
        await until(services, killed=False)
        await until_redis_has(world, [True])


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "frozen"])
async def test_without_sql_a_kill_goes_through_redis_and_no_write_waits_long(
    world: World, fault: signal.Signals
) -> None:
    async with world.services() as services:
        await services[0].with_rag(100)
        await until_known(services)
        with failing(world.postgres, fault):
            acknowledged = asyncio.create_task(kill(services[0]))
            await until(services, killed=True, within_s=REDIS_UP_S)
            assert await acknowledged < ACKNOWLEDGED_S
            began = time.monotonic()
            await services[1].ok("PUT", "/flags/rag-v2/rollout", {"percentage": 50})
            assert time.monotonic() - began < ACKNOWLEDGED_S
            released = asyncio.create_task(release(services[1]))
            await until(services, killed=False, within_s=ACKNOWLEDGED_S + REDIS_UP_S)
            await released


async def test_the_audit_tells_a_release_without_redis_from_a_kill_then_and_when_redis_is_told(world: World) -> None:
    async with world.services(1) as [service]:
        await service.with_rag(100)
        with failing(world.redis, signal.SIGKILL):
            await kill(service)
            await release(service)
        await until_redis_has(world, [True])
        async with asyncio.timeout(PATIENCE_S):
            while len(told := await told_of_kills(service)) < 3:
                await asyncio.sleep(0.01)
    assert told == [("create", "night", None), ("update", "fixed", None), ("update", "fixed", 1)]


async def told_of_kills(service: Service) -> list[tuple[str, str, int | None]]:
    """Return what the audit says of kills, oldest first: action, reason and version."""
    events = (await service.ok("GET", "/audit"))["items"]
    ours = [event for event in reversed(events) if event["target"].startswith("kill:")]
    return [(event["action"], event["reason"], event["version"]) for event in ours]


async def test_without_both_a_kill_is_refused_and_not_in_force(world: World) -> None:
    async with world.services() as services:
        await services[0].with_rag(100)
        await until_known(services)
        with failing(world.redis, signal.SIGKILL), failing(world.postgres, signal.SIGKILL):
            refused = await services[0].ask("POST", "/flags/rag-v2/kill", {"reason": "night"})
            assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
            assert refused.json()["detail"].startswith("nothing is killed: no store has accepted the kill")
            assert refused.headers["retry-after"]
            assert (await services[0].ok("GET", "/kill-switch")) == {"killed": False, "kills": []}
        await kill(services[0])
        await until(services, killed=True)
        with failing(world.redis, signal.SIGKILL), failing(world.postgres, signal.SIGKILL):
            refused = await services[1].ask("DELETE", "/flags/rag-v2/kill")
            assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
            assert all(is_killed(each) for each in services)


async def test_a_process_that_redis_does_not_reach_kills_the_others_and_hears_of_their_kills(world: World) -> None:
    async with line_to(world.redis.port) as line, world.service("cut", redis=line) as cut, world.services() as others:
        await cut.with_rag(100)
        await until_known([cut, *others])
        line.cut()
        began = time.monotonic()
        await kill(cut)
        await until(others, killed=True, within_s=began + REDIS_DOWN_S - time.monotonic())
        await until_redis_has(world, [False])
        await release(others[0])
        await until([cut, *others], killed=False, within_s=REDIS_DOWN_S)
        await kill(others[1])
        await until([cut, *others], killed=True, within_s=REDIS_DOWN_S)
        await release(cut)
        await until([cut, *others], killed=False, within_s=REDIS_DOWN_S)
        line.heal()
        await until_redis_has(world, [True, True])


async def test_a_redis_that_comes_back_as_it_was_learns_what_was_released_meanwhile(world: World) -> None:
    async with world.services() as services:
        await services[0].with_rag(100)
        await kill(services[0])
        await until(services, killed=True)
        async with Redis.from_url(world.redis.url) as client:
            await client.save()
        world.redis.kill()
        await release(services[1])
        await until(services, killed=False, within_s=REDIS_DOWN_S)
        world.redis.start()
        await until_redis_has(world, [True])
        assert not any(is_killed(each) for each in services)
    async with world.services() as later:
        assert not any(is_killed(each) for each in later)


@pytest.mark.parametrize("act", ["kill", "release"])
async def test_what_only_an_emptied_redis_had_is_not_lost(world: World, act: str) -> None:
    async with world.services() as services:
        await services[0].with_rag(100)
        await until_known(services)
        if act == "release":
            await kill(services[0])
        world.postgres.kill()
        await (kill if act == "kill" else release)(services[0])
        await until(services, killed=act == "kill")
        world.redis.kill()
        world.postgres.start()
        world.redis.start()
        await until_redis_has(world, [act == "release"])
        assert all(is_killed(each) is (act == "kill") for each in services)
        async with world.services(1) as later:
            assert is_killed(later[0]) is (act == "kill")


async def test_a_process_that_starts_reads_the_orders_before_it_serves(world: World) -> None:
    async with world.services(1) as services:
        await services[0].with_rag(100)
        async with Redis.from_url(world.redis.url) as client:
            await client.save()
        world.redis.kill()
        await kill(services[0])
    world.redis.start()
    async with world.services(1) as later:
        assert is_killed(later[0])
        await until_redis_has(world, [False])
        await release(later[0])
        assert not is_killed(later[0])


async def test_a_process_that_was_cut_off_from_everything_brings_no_kill_back(world: World) -> None:
    async with (
        line_to(world.redis.port) as redis,
        line_to(world.postgres.port) as postgres,
        world.service("stale", redis=redis, postgres=postgres) as stale,
        world.services() as others,
    ):
        await stale.with_rag(100)
        await kill(others[0])
        await until([stale, *others], killed=True)
        redis.cut()
        postgres.cut()
        await release(others[0])
        await until(others, killed=False)
        world.redis.kill()
        world.redis.start()
        redis.heal()
        postgres.heal()
        await until([stale, *others], killed=False)
        await until_redis_has(world, [True])
        assert not any(is_killed(each) for each in [stale, *others])
