"""A fleet whose Redis is found through sentinels, and whose primary dies."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from app.stores.records import StoreUnavailableError
from app.stores.redis import RedisStore, redis_client
from tests.inprocess import Service, running, settings_in
from tests.servers import RedisServer, free_port, redis_server, sentinel_server

PATIENCE_S = 12.0


@dataclass(frozen=True)
class Watched:
    """A primary, its replica and the sentinel that watches both."""

    primary: RedisServer
    replica: RedisServer
    sentinel: RedisServer

    @property
    def url(self) -> str:
        """Where to ask: a sentinel that is not there any more, and one that is."""
        return f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{self.sentinel.port}/live"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Run a primary, a replica and a sentinel, each in a folder of its own."""
    folders = [tmp_path / name for name in ("primary", "replica", "sentinel")]
    for folder in folders:
        folder.mkdir()
    at_once = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
    with ExitStack() as servers:
        primary = servers.enter_context(redis_server(folders[0], *at_once))
        of_primary = ("--replicaof", "127.0.0.1", f"{primary.port}")
        replica = servers.enter_context(redis_server(folders[1], *at_once, *of_primary))
        _until_linked(replica)
        sentinel = servers.enter_context(sentinel_server(folders[2], primary, "live"))
        yield Watched(primary, replica, sentinel)


def _until_linked(replica: RedisServer) -> None:
    """Wait until a replica has its primary: a sentinel that comes earlier looks again only after ten seconds."""
    with SyncRedis(port=replica.port) as client:
        deadline = time.monotonic() + PATIENCE_S
        while client.info("replication")["master_link_status"] != "up":
            assert time.monotonic() < deadline


@pytest.fixture
async def pair(tmp_path: Path, watched: Watched) -> AsyncIterator[tuple[Service, Service]]:
    """Run two services that ask the sentinels, once these know the replica."""
    async with Redis(port=watched.sentinel.port, decode_responses=True) as sentinel, asyncio.timeout(PATIENCE_S):
        while "master-link-status': 'ok'" not in str(await sentinel.execute_command("SENTINEL", "REPLICAS", "live")):
            await asyncio.sleep(0.01)
    settings = settings_in(tmp_path / "data", redis_url=watched.url)
    async with running(settings) as one, running(settings) as other:
        yield one, other


def weight(service: Service) -> int:
    """Return the percentage in force, in hundred-thousandths."""
    flag = service.services.live.state.ruleset.document("rag-v2")
    return -1 if flag is None or flag.default.split is None else flag.default.split[0].weight


async def test_when_the_primary_dies_the_services_follow_the_replica_with_everything_it_had(
    pair: tuple[Service, Service], watched: Watched
) -> None:
    one, other = pair
    await one.with_rag(40)
    killed = await one.ok("POST", "/kill-switch", {"scope": "route:rag", "reason": "night"})
    async with Redis(port=watched.primary.port) as primary:
        assert await primary.wait(1, 5000) == 1
    epoch = one.services.live.state.ruleset.epoch
    watched.primary.kill()
    assert (await one.ask("GET", "/route/rag", X_User_Id="u")).headers["x-crossfade-reason"] == "KILLED"
    statuses = set()
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await one.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 30})).status_code != 200:
            statuses.add(answer.status_code)
            await asyncio.sleep(0.05)
        while weight(other) != 30_000:
            await asyncio.sleep(0)
    assert statuses == {503}
    assert answer.json()["version"] == 3
    assert {each.services.live.state.ruleset.epoch for each in pair} == {epoch}
    assert [kill["id"] for kill in (await other.ok("GET", "/kill-switch"))["kills"]] == [killed["id"]]
    async with Redis(port=watched.replica.port) as replica:
        assert (await replica.role())[0] == b"master"


async def test_closing_leaves_no_connection_to_a_sentinel(watched: Watched) -> None:
    async with Redis(port=watched.sentinel.port) as sentinel:
        before = len(await sentinel.client_list())
        async with redis_client(watched.url) as client:
            await RedisStore(client).check()
            assert len(await sentinel.client_list()) > before
        async with asyncio.timeout(PATIENCE_S):
            while len(await sentinel.client_list()) > before:
                await asyncio.sleep(0.01)


async def test_sentinels_that_know_no_primary_are_told_in_few_words() -> None:
    url = f"redis+sentinel://user:secret@127.0.0.1:{free_port()}/live"
    async with redis_client(url) as client:
        with pytest.raises(StoreUnavailableError) as caught:
            await RedisStore(client).check()
    assert str(caught.value) == "Redis failed: No master found for 'live': no sentinel that can be reached names one"
