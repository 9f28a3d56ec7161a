"""Two processes' worth of service that share one Redis and one journal."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from orjson import dumps
from redis import Redis

from flags.evaluate import evaluate
from tests.app.stores.changes import change
from tests.inprocess import FLAG, Service, running, settings_in
from tests.servers import RedisServer, redis_server

PATIENCE_S = 10.0

NEWER = {2: {"weather": "rain"}, 3: {}}
"""What a newer process writes over a version of a flag, and then an older one's form again."""


class NewerCollection(StrEnum):
    """A kind of documents that only a newer process knows."""

    WEATHER = "weather"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis that forgets everything when it dies."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server


@pytest.fixture
async def pair(tmp_path: Path, redis: RedisServer) -> AsyncIterator[tuple[Service, Service]]:
    """Run two services over the same stores."""
    settings = settings_in(tmp_path / "data", redis_url=redis.url)
    async with running(settings) as one, running(settings) as other:
        yield one, other


def weight(service: Service) -> int:
    """Return what this process has in force, without asking any store."""
    flag = service.services.live.state.ruleset.document("rag-v2")
    return -1 if flag is None or flag.default.split is None else flag.default.split[0].weight


async def until(service: Service, expected: int) -> None:
    """Let the event loop go on until the process has it in force."""
    async with asyncio.timeout(PATIENCE_S):
        while weight(service) != expected:
            await asyncio.sleep(0)


async def until_fresh(service: Service, *, fresh: bool) -> None:
    """Let the event loop go on until the process says so of its state."""
    async with asyncio.timeout(PATIENCE_S):
        while service.services.standing.is_fresh != fresh:
            await asyncio.sleep(0)


async def test_a_write_in_one_process_is_in_force_in_the_other(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await one.with_rag(25)
    assert weight(one) == 25_000
    await until(other, 25_000)
    await other.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 50})
    assert weight(other) == 50_000
    await until(one, 50_000)
    assert one.services.live.state.ruleset.revision == other.services.live.state.ruleset.revision


async def test_a_segment_changed_in_one_process_changes_its_flags_in_the_other(pair: tuple[Service, Service]) -> None:
    one, other = pair
    segment = {"name": "pro", "when": {"attribute": "plan", "op": "eq", "value": "pro"}}
    rule = {"name": "chosen", "when": {"segment": "pro"}, "serve": {"variant": "on"}}
    await one.ok("POST", "/segments", segment)
    await one.ok("POST", "/flags", {"key": "x", "rules": [rule]})

    async def given(plan: str, variant: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while variant != evaluate(other.services.live.state.ruleset, "x", {"plan": plan}, 0.0).variant:
                await asyncio.sleep(0)

    await given("pro", "on")
    when = {"attribute": "plan", "op": "eq", "value": "gold"}
    await one.ok("PATCH", "/segments/pro", {"when": when}, if_match="1")
    await given("gold", "on")
    await given("pro", "off")
    assert (await other.ok("GET", "/segments/pro"))["version"] == 2


async def test_all_processes_give_clients_the_same_ruleset(
    tmp_path: Path, redis: RedisServer, pair: tuple[Service, Service]
) -> None:
    one, other = pair
    for name in ("zeta", "alpha"):
        await one.ok("POST", "/segments", {"name": name, "when": {"attribute": "plan", "op": "eq", "value": name}})
    await one.with_rag(25)
    await until(other, 25_000)
    async with running(settings_in(tmp_path / "data", redis_url=redis.url)) as late:
        answers = [await each.ask("GET", "/ruleset") for each in (one, other, late)]
        assert len({(answer.content, answer.headers["etag"]) for answer in answers}) == 1


async def test_a_kill_in_one_process_stops_the_other(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await one.with_rag(100)
    await until(other, 100_000)
    await one.ok("POST", "/kill-switch", {"reason": "night"})
    async with asyncio.timeout(PATIENCE_S):
        while (await other.ask("GET", "/route/rag", X_User_Id="u")).headers["x-crossfade-reason"] != "KILLED":
            await asyncio.sleep(0)


async def test_of_many_writers_with_one_version_exactly_one_wins(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await one.with_rag()
    await until(other, 0)
    version = f"{(await one.ok('GET', '/flags/rag-v2'))['version']}"
    writes = [
        each.ask("PATCH", "/flags/rag-v2", {"owner": f"owner-{number}"}, if_match=version)
        for number, each in enumerate([one, other] * 8)
    ]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*writes))
    assert statuses == [200] + [412] * 15


async def test_revisions_have_no_gap_and_the_journal_has_every_change(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await one.with_rag()
    await until(other, 0)
    writes = [each.ask("PUT", "/flags/rag-v2/rollout", {"percentage": p}) for p in range(1, 21) for each in pair]
    answers = await asyncio.gather(*writes)
    acknowledged = [answer.json()["version"] for answer in answers if answer.status_code == 200]
    assert len(set(acknowledged)) == len(acknowledged) >= 20
    events = (await one.ok("GET", "/audit?limit=1000"))["items"]
    assert sorted(event["revision"] for event in events) == list(range(1, len(events) + 1))
    history = (await other.ok("GET", "/flags/rag-v2/history?limit=1000"))["items"]
    assert {item["version"] for item in history} >= set(acknowledged)


async def test_without_redis_decisions_go_on_and_writes_say_when_to_try_again(
    pair: tuple[Service, Service], redis: RedisServer
) -> None:
    one, other = pair
    await one.with_rag(100)
    await until(other, 100_000)
    redis.kill()
    for each in pair:
        assert (await each.ask("GET", "/route/rag", X_User_Id="u")).headers["x-crossfade-backend"] == "new"
        refused = await each.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 1})
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert int(refused.headers["retry-after"]) > 0
        assert (await each.ok("GET", "/readyz"))["store"] == "unavailable"
    redis.start()


async def test_an_emptied_redis_is_refilled_from_the_journal_and_nobody_notices(
    pair: tuple[Service, Service], redis: RedisServer
) -> None:
    one, other = pair
    await one.with_rag(40)
    await until(other, 40_000)
    killed = await one.ok("POST", "/flags/rag-v2/kill", {"reason": "night"})
    epoch = one.services.live.state.ruleset.epoch
    redis.kill()
    redis.start()
    async with asyncio.timeout(PATIENCE_S):
        while any(each.services.live.state.ruleset.epoch == epoch for each in pair):
            await asyncio.sleep(0)
    for each in pair:
        assert weight(each) == 40_000
        assert [kill["id"] for kill in (await each.ok("GET", "/kill-switch"))["kills"]] == [killed["id"]]
    await one.ok("DELETE", "/flags/rag-v2/kill")
    flag = await one.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 60})
    assert flag["version"] == 3
    await until(other, 60_000)


async def test_a_process_that_starts_later_has_everything(
    pair: tuple[Service, Service], tmp_path: Path, redis: RedisServer
) -> None:
    await pair[0].with_rag(12.5)
    async with running(settings_in(tmp_path / "data", redis_url=redis.url)) as third:
        assert weight(third) == 12_500


async def test_an_older_process_goes_on_with_what_it_knows_when_a_newer_one_writes_what_it_cannot_read(
    pair: tuple[Service, Service],
) -> None:
    one, other = pair
    await one.with_rag(25)
    await until(other, 25_000)
    newer, readable = (change("rag-v2", version, dumps(FLAG | more).decode()) for version, more in NEWER.items())
    await one.services.store.write([newer])
    await until_fresh(other, fresh=False)
    assert (await other.ask("GET", "/readyz")).json()["state"] == "stale"
    assert weight(other) == 25_000
    await one.services.store.write([readable])
    await until_fresh(other, fresh=True)
    assert weight(other) == 0


async def test_documents_of_a_kind_that_only_a_newer_process_knows_are_left_alone(
    pair: tuple[Service, Service], redis: RedisServer
) -> None:
    one, other = pair
    await one.with_rag(25)
    await until(other, 25_000)
    kind: Any = NewerCollection.WEATHER
    await one.services.store.write([change("rain", 0, "{}", kind)])
    await one.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 50})
    await until(other, 50_000)
    with Redis.from_url(redis.url) as client:
        client.flushall()
    for each in pair:
        await until_fresh(each, fresh=False)
        assert weight(each) == 50_000
