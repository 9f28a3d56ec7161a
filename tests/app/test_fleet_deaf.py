import asyncio
from pathlib import Path

from redis.asyncio import Redis

from tests.inprocess import Service, running, settings_in
from tests.servers import redis_server

LOOK_S = 1.0
SPARE_S = 2.0
"""For a busy machine."""


def weight(service: Service) -> int:
    """Return what this process has in force, without asking any store."""
    flag = service.services.live.state.ruleset.document("rag-v2")
    return -1 if flag is None or flag.default.split is None else flag.default.split[0].weight


async def test_a_change_that_nobody_hears_of_is_in_force_at_the_next_look(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as redis:
        settings = settings_in(tmp_path / "data", redis_url=redis.url)
        async with running(settings) as one, running(settings) as other, Redis.from_url(redis.url) as client:
            await client.acl_setuser("default", enabled=True, commands=["-subscribe"])
            await client.client_kill_filter(_type="pubsub")
            await one.with_rag(25)
            async with asyncio.timeout(LOOK_S + SPARE_S):
                while weight(other) != 25_000:
                    await asyncio.sleep(0)
            assert (await client.pubsub_numsub("{crossfade}:changed"))[0][1] == 0
