"""Breakers of processes that share one Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
