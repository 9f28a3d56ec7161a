"""Breakers of processes that share one Redis."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from routers.breaker import State
from routers.call import SendError
from routers.causes import Cause
from tests.inprocess import Script, Service, running, settings_in
from tests.servers import RedisServer, redis_server

PATIENCE_S = 10.0
NEW = "http://new:2"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis that forgets everything when it dies."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server


def refusing() -> Script:
    """Backends of which the new one cannot be reached."""
    return Script({NEW: lambda _: SendError(Cause.CONNECT, "nobody there")})


@pytest.fixture
async def pair(tmp_path: Path, redis: RedisServer) -> AsyncIterator[tuple[Service, Service]]:
    """Run two services over the same stores, everybody on a new side that is dead."""
    settings = settings_in(tmp_path / "data", redis_url=redis.url)
    async with running(settings, refusing()) as one, running(settings, refusing()) as other:
        await one.with_rag(100)
        await until(lambda: "rag" in other.services.live.state.routes and calm(one) and calm(other))
        yield one, other


def calm(service: Service) -> bool:
    """Whether this process has its breakers in common with the fleet."""
    return all(not each.is_alone for each in service.services.lanes.shared())


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop go on until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.001)


def state(service: Service, backend: str = "new") -> State:
    """Return what this process does with the next call, without asking any store."""
    return service.services.lanes.of("rag")[backend].breaker.status(service.time.seconds).state


async def call(service: Service, times: int = 1) -> list[str]:
    """Call the route, and return which backend answered."""
    answers = [await service.ask("GET", "/route/rag", X_User_Id="u") for _ in range(times)]
    return [answer.headers.get("x-crossfade-backend", "none") for answer in answers]


async def view(service: Service, backend: str = "new") -> dict[str, Any]:
    """Return a breaker as it is shown."""
    items = (await service.ok("GET", "/breakers"))["items"]
    [item] = [each for each in items if each["backend"] == backend]
    return dict(item)


async def test_the_trip_of_one_process_stops_the_other_within_a_second(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await call(one, 20)
    assert state(one) is State.OPEN
    async with asyncio.timeout(1):
        await until(lambda: state(other) is State.OPEN)
    sent = len(other.script.sent)
    await call(other, 5)
    assert {url for url, _ in other.script.sent[sent:]} == {"http://legacy:1"}


async def test_processes_of_which_none_saw_enough_trip_together(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await call(one, 12)
    await call(other, 12)
    await until(lambda: state(one) is state(other) is State.OPEN)
    seen = await view(one)
    assert (seen["scope"], seen["calls"], seen["failures"]) == ("fleet", 24, 24)


async def test_an_order_is_obeyed_in_every_process_and_by_one_that_starts_later(
    pair: tuple[Service, Service], tmp_path: Path, redis: RedisServer
) -> None:
    one, other = pair
    answer = await one.ok("POST", "/breakers/rag/legacy/open", {"reason": "night"})
    assert (answer["scope"], answer["state"]) == ("fleet", "forced_open")
    await until(lambda: state(other, "legacy") is State.FORCED_OPEN)
    async with running(settings_in(tmp_path / "data", redis_url=redis.url)) as third:
        assert state(third, "legacy") is State.FORCED_OPEN, "from its first call on"
        assert (await view(third, "legacy"))["scope"] == "fleet"
        await third.ok("POST", "/breakers/rag/legacy/reset")
        await until(lambda: state(one, "legacy") is state(other, "legacy") is State.CLOSED)


async def test_without_redis_an_order_acts_here_and_in_the_fleet_when_redis_is_back(
    pair: tuple[Service, Service], redis: RedisServer
) -> None:
    one, other = pair
    redis.kill()
    answer = await one.ok("POST", "/breakers/rag/legacy/open")
    assert (answer["scope"], answer["state"]) == ("process", "forced_open"), "the fleet could not be told"
    assert state(other, "legacy") is State.CLOSED
    redis.start()
    await until(lambda: state(other, "legacy") is State.FORCED_OPEN)
    assert (await view(one, "legacy"))["scope"] == "fleet"


async def test_without_redis_each_process_protects_itself_and_redis_is_told_when_it_is_back(
    pair: tuple[Service, Service], redis: RedisServer
) -> None:
    one, other = pair
    redis.kill()
    await until(lambda: not calm(one) and not calm(other))
    assert await call(one, 25) == ["legacy"] * 25
    assert (state(one), state(other)) == (State.OPEN, State.CLOSED)
    assert (await view(one))["scope"] == "process"
    assert "crossfade_breakers_shared 0.0" in (await one.ask("GET", "/metrics")).text
    failed = "crossfade_breaker_syncs_failed_total 0.0"
    assert failed not in (await one.ask("GET", "/metrics")).text
    redis.start()
    await until(lambda: calm(one) and state(other) is State.OPEN)
    assert "crossfade_breakers_shared 1.0" in (await one.ask("GET", "/metrics")).text


async def test_a_backend_at_another_address_has_a_new_breaker_in_every_process(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await call(one, 20)
    await until(lambda: state(other) is State.OPEN)
    route = await one.ok("GET", "/routes/rag")
    route["backends"]["new"]["url"] = "http://new:3"
    await one.ok("PUT", "/routes/rag", route, if_match=f"{route['version']}")
    await until(lambda: state(one) is state(other) is State.CLOSED and calm(one) and calm(other))
    assert await call(other) == ["new"]
    route["backends"]["new"]["url"] = NEW
    await other.ok("PUT", "/routes/rag", route, if_match=f"{route['version'] + 1}")
    await until(lambda: state(one) is state(other) is State.OPEN)


async def test_what_a_person_forced_goes_over_to_a_new_breaker_of_the_fleet(pair: tuple[Service, Service]) -> None:
    one, other = pair
    await one.ok("POST", "/breakers/rag/new/open")
    await until(lambda: state(other) is State.FORCED_OPEN)
    route = await one.ok("GET", "/routes/rag")
    route["backends"]["new"]["breaker"]["minimum_calls"] = 5
    await one.ok("PUT", "/routes/rag", route, if_match=f"{route['version']}")
    await until(lambda: all(each.services.live.state.routes["rag"].version == 2 for each in pair))
    await until(lambda: calm(one) and calm(other))
    assert state(one) is state(other) is State.FORCED_OPEN
    await other.ok("POST", "/breakers/rag/new/reset")
    await until(lambda: state(one) is State.CLOSED)


async def test_a_call_waits_for_redis_no_more_than_without_breakers_in_common(
    pair: tuple[Service, Service], redis: RedisServer
) -> None:
    one, _ = pair
    redis.send(signal.SIGSTOP)
    try:
        began = asyncio.get_running_loop().time()
        assert await call(one, 100) == ["legacy"] * 100
        assert asyncio.get_running_loop().time() - began < 1.0, "less than Redis is waited for once"
        assert state(one) is State.OPEN
    finally:
        redis.send(signal.SIGCONT)


async def test_keys_of_breakers_go_away_by_themselves(pair: tuple[Service, Service], redis: RedisServer) -> None:
    await call(pair[0], 20)
    await until(lambda: state(pair[1]) is State.OPEN)
    async with Redis.from_url(redis.url, decode_responses=True) as client:
        keys = [key async for key in client.scan_iter("{crossfade}:breaker:*")]
        assert len(keys) >= 3
        assert all([0 < await client.ttl(key) <= 86_400 for key in keys])


async def test_one_process_alone_has_breakers_of_its_own(service: Service) -> None:
    await service.with_rag(100)
    assert {item["scope"] for item in (await service.ok("GET", "/breakers"))["items"]} == {"process"}
    assert [*service.services.lanes.shared()] == []
    assert (await service.ok("POST", "/breakers/rag/new/open"))["scope"] == "process"
