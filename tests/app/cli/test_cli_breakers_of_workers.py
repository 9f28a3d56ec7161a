"""The breakers of real workers over a real Redis, with a backend that fails."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from app.cli import app
from tests.faulty import ERROR, OK, faulty
from tests.servers import redis_server
from tests.service import ADMIN, PATIENCE_S, WITHOUT_TLS, RunningService, started

pytestmark = pytest.mark.xdist_group("workers")

WORKERS = 4
PROBES = 3
OPEN_S = 1.0


@pytest.fixture
def many(tmp_path: Path) -> Iterator[RunningService]:
    folder = tmp_path / "redis"
    folder.mkdir()
    settings = {"open_calls_per_s": 0, "log_format": "json"}
    with (
        redis_server(folder) as redis,
        started(tmp_path, "--workers", f"{WORKERS}", redis_url=redis.url, **settings) as service,
    ):
        yield service


def make_route(service: RunningService, new: str, legacy: str) -> None:
    """Send everybody to new, whose breaker waits a second first."""
    policy = {"minimum_calls": 8, "open_s": OPEN_S, "probes": PROBES}
    service.ok("POST", "/flags", {"key": "rag-v2", "variants": {"new": True, "legacy": False}})
    service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 100})
    backends = {"legacy": {"url": legacy}, "new": {"url": new, "breaker": policy}}
    route = {"name": "rag", "flag": "rag-v2", "auth": "none", "backends": backends, "fallback": {"replay": "always"}}
    service.ok("POST", "/routes", route)


def changes(service: RunningService) -> list[tuple[float, str]]:
    """Return when a worker saw its breaker change, and to what, in the order of time."""
    lines = [json.loads(line) for line in service.log.splitlines() if '"breaker changed"' in line]
    return sorted((datetime.fromisoformat(line["timestamp"]).timestamp(), line["after"]) for line in lines)


@asynccontextmanager
async def callers(service: RunningService, number: int = 24) -> AsyncIterator[None]:
    """Call the route thirty times a second and connection, of which every worker has some; everybody is answered."""

    async def call() -> None:
        async with httpx.AsyncClient(base_url=service.url, trust_env=False, verify=WITHOUT_TLS) as client:
            while True:
                answer = await client.get("/route/rag", headers={"X-User-Id": "u"}, timeout=PATIENCE_S)
                assert answer.status_code == 200
                await asyncio.sleep(1 / 30)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call()) for _ in range(number)]
        yield
        for task in tasks:
            task.cancel()


async def seen(service: RunningService, state: str, times: int) -> list[float]:
    """Wait until workers have entered a state so many times, and return when."""
    async with asyncio.timeout(PATIENCE_S):
        while len(at := [at for at, after in changes(service) if after == state]) < times:
            await asyncio.sleep(0.02)
    return at[:times]


async def test_the_trip_of_one_worker_stops_the_others_within_a_second(many: RunningService) -> None:
    async with faulty(ERROR) as new, faulty(OK) as legacy:
        await asyncio.to_thread(make_route, many, new.url, legacy.url)
        async with httpx.AsyncClient(base_url=many.url, trust_env=False, verify=WITHOUT_TLS) as one_worker:
            for _ in range(8):
                await one_worker.get("/route/rag", headers={"X-User-Id": "u"})
        opened = await seen(many, "open", WORKERS)
        assert len(new.requests) == 8, "one worker's calls"
        assert opened[-1] - opened[0] < 1.0


async def test_workers_probe_together_and_close_together(many: RunningService) -> None:
    async with faulty(ERROR) as new, faulty(OK) as legacy:
        await asyncio.to_thread(make_route, many, new.url, legacy.url)
        async with callers(many):
            await seen(many, "open", WORKERS)
            await asyncio.sleep(OPEN_S / 2)
            before = len(new.requests)
            await seen(many, "open", 3 * WORKERS)
            probed = len(new.requests) - before
        assert 2 <= probed <= 2 * PROBES, "in two trials of four workers"
        shown: dict[str, Any] = await asyncio.to_thread(many.ok, "GET", "/breakers")
        [item] = [each for each in shown["items"] if each["backend"] == "new"]
        assert (item["scope"], item["openings"]) == ("fleet", 3)


def test_an_order_is_obeyed_by_every_worker(many: RunningService) -> None:
    make_route(many, "http://127.0.0.1:9", "http://127.0.0.1:9")
    for command, state in (("open", "forced_open"), ("reset", "closed")):
        assert many.ok("POST", f"/breakers/rag/new/{command}")["scope"] == "fleet"
        asyncio.run(_settled(many, state))
        shown = CliRunner().invoke(app, ["breakers"], env={"CROSSFADE_URL": many.url, "CROSSFADE_TOKEN": ADMIN}).stdout
        assert [state.replace("_", " "), "fleet"] == re.split("  +", shown.splitlines()[-1])[2:4]
    told = many.ok("GET", "/audit?target=breaker:rag/new")["items"]
    assert [each["action"] for each in told] == ["breaker_reset", "breaker_open"]


async def _settled(service: RunningService, state: str) -> None:
    at = await seen(service, state, WORKERS)
    assert at[-1] - at[0] < 1.0
