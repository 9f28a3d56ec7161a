"""The dashboard and baselines of several processes over one database, and while that is away."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.app.test_dashboard import DASHBOARD, calls, counted, route_of, sides
from tests.inprocess import Service, running, settings_in
from tests.postgres import PostgresServer, postgres_server
from tests.servers import redis_server

BASELINE = "/monitoring/baselines/before"


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server.url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield f"sqlite:///{tmp_path / 'journal.db'}"
        else:
            yield stack.enter_context(postgres_server()).url


async def call(service: Service, times: int) -> None:
    """Carry so many calls, as soon as the process knows the route."""
    for number in range(times):
        answer = await service.ask("GET", "/route/rag", X_User_Id=f"user-{number}")
        while answer.status_code == 404:
            answer = await service.ask("GET", "/route/rag", X_User_Id=f"user-{number}")


async def test_each_process_shows_what_all_have_counted(redis_url: str, database_url: str, tmp_path: Path) -> None:
    places = [settings_in(tmp_path / name, redis_url=redis_url, database_url=database_url) for name in ("a", "b")]
    async with running(places[0]) as one, running(places[1]) as other:
        await one.with_rag(100)
        await call(one, 20)
        await call(other, 10)
        assert sides(await route_of(one))["new"]["calls"] >= 20
        assert sides(await route_of(other))["new"]["calls"] == 30
        shown = [await service.ok("GET", f"{DASHBOARD}?range=30d") for service in (one, other)]
        assert shown[0] == shown[1]
        assert shown[0]["routes"][0]["sides"][0]["figures"]["calls"] == 30
        saved = await one.ok("PUT", BASELINE, {"range": "7d"})
        assert await other.ok("GET", BASELINE) == saved
        assert (await other.ok("GET", f"{BASELINE}/comparison"))["worse"] == 0


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.mark.xdist_group("postgres")
async def test_without_postgres_it_is_said_what_goes_on_and_nothing_counted_is_lost(
    redis_url: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    settings = settings_in(tmp_path / "data", redis_url=redis_url, database_url=postgres.url)
    async with running(settings) as service:
        await service.with_rag(100)
        await counted(service, calls(5))
        postgres.kill()
        await call(service, 3)
        began = time.monotonic()
        answer = await service.ask("GET", DASHBOARD)
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        assert time.monotonic() - began < 30
        assert (await service.ok("GET", "/breakers"))["all_closed"]
        postgres.start()
        while (answer := await service.ask("GET", DASHBOARD)).status_code == 503:
            assert time.monotonic() - began < 60
        assert sides(await route_of(service))["new"]["calls"] == 8
