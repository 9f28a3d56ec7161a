"""A process of a fleet that starts, or goes on, while Redis is away."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.stores.last_good import LastGood
from tests.inprocess import FLAG, ROUTE, Service, running, settings_in
from tests.servers import RedisServer, free_port, redis_server

PATIENCE_S = 15.0

START_S = 6.5
"""Twice the two seconds that are had with a journal, and what else a start takes on a slow machine."""

NOWHERE = f"postgresql://nobody:nothing@127.0.0.1:{free_port()}/nothing"
"""A journal that is away."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis that forgets everything when it dies."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server


def settings_of(tmp_path: Path, redis: RedisServer, data: str = "data", **others: Any) -> Settings:
    """Return settings whose journal is one file, wherever the rest of the data is."""
    journal = f"sqlite:///{tmp_path / 'journal.db'}"
    return settings_in(tmp_path / data, redis_url=redis.url, **{"database_url": journal, **others})


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop go on until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def kept(folder: Path, service: Service) -> None:
    """Wait until the last good copy has the revision in force."""
    file, revision = LastGood(folder / "last-good.json"), service.services.live.state.ruleset.revision
    await until(lambda: (found := file.read()) is not None and found[0].revision == revision)


def documents_of(service: Service) -> list[Mapping[str, Any]]:
    """Return every document in force, and every kill known of."""
    state = service.services.live.state
    return [state.flags, state.segments, state.routes, state.env, state.records, state.overlay.known]


async def gauge(service: Service, name: str) -> float:
    """Return the value of a gauge without labels."""
    lines = (await service.ask("GET", "/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def decided(service: Service) -> str:
    answer = await service.ask("POST", "/routes/rag/decision", {"context": {"targetingKey": "u"}})
    return f"{answer.json().get('backend') or answer.json()['code']}"


async def test_without_redis_and_journal_the_last_good_copy_serves(tmp_path: Path, redis: RedisServer) -> None:
    settings = settings_of(tmp_path, redis)
    async with running(settings) as before:
        await before.ok("POST", "/segments", {"name": "pro", "when": {"attribute": "plan", "op": "eq", "value": "pro"}})
        await before.with_rag(100)
        token = (await before.ok("POST", "/tokens", {"id": "app", "role": "evaluate"}))["token"]
        await kept(tmp_path / "data", before)
        await before.ok("POST", "/flags", {"key": "another"})
        await before.ok("PATCH", "/flags/rag-v2", {"description": "changed"}, If_Match="*")
        await before.ok("POST", "/kill-switch", {"scope": "flag:another"})
        await kept(tmp_path / "data", before)
        told = documents_of(before)
    redis.kill()
    async with running(settings_of(tmp_path, redis, database_url=NOWHERE)) as cold:
        assert documents_of(cold) == told
        assert await decided(cold) == "new"
        async with cold.token(token) as client:
            answer = await client.get("/route/rag", headers={"X-User-Id": "u"})
            assert answer.headers["x-crossfade-backend"] == "new"
        ready = await cold.ok("GET", "/readyz")
        assert (ready["status"], ready["state"], ready["store"]) == ("ready", "stale", "unavailable")
        refused = await cold.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 1})
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        redis.start()


async def test_without_redis_and_copy_the_journal_serves_and_redis_is_refilled_from_it(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with running(settings_of(tmp_path, redis)) as before:
        await before.with_rag(100)
    redis.kill()
    async with running(settings_of(tmp_path, redis, data="another machine")) as cold:
        assert await decided(cold) == "new"
        assert (await cold.ok("GET", "/readyz"))["state"] == "stale"
        redis.start()
        await until(lambda: cold.services.standing.is_fresh)
        assert await decided(cold) == "new"
        assert (await cold.ok("GET", "/readyz"))["state"] == "fresh"
        await cold.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 0})
        assert await decided(cold) == "legacy"


async def test_with_nothing_known_a_process_is_alive_and_not_ready_until_redis_is_there(
    tmp_path: Path, redis: RedisServer
) -> None:
    redis.kill()
    async with running(settings_of(tmp_path, redis)) as cold:
        assert (await cold.ask("GET", "/healthz")).status_code == 200
        assert (await cold.ask("GET", "/metrics")).status_code == 200
        ready = await cold.ask("GET", "/readyz")
        assert (ready.status_code, ready.json()["status"], ready.json()["state"]) == (503, "starting", "unknown")
        for path in ("/flags", "/route/rag", "/api/route/rag", "/nothing"):
            answer = await cold.ask("GET", path)
            assert (answer.status_code, answer.json()["code"]) == (503, "state_unknown")
            assert answer.headers["retry-after"] == "1"
        redis.start()
        await until(lambda: cold.services.live.is_known)
        await cold.with_rag(100)
        assert await decided(cold) == "new"
        assert (await cold.ask("GET", "/readyz")).status_code == 200


@pytest.fixture
def seed(tmp_path: Path) -> Path:
    """Write a seed with the flag at 100 % and its route."""
    file = tmp_path / "seed.yaml"
    default = {"split": [{"variant": "new", "weight": 100_000}, {"variant": "legacy", "weight": 0}]}
    # JSON is YAML too
    file.write_text(json.dumps({"flags": [{**FLAG, "default": default}], "routes": [ROUTE]}))
    return file


async def test_the_seed_serves_while_nothing_is_known_if_a_setting_allows_it(
    tmp_path: Path, redis: RedisServer, seed: Path
) -> None:
    redis.kill()
    async with running(settings_of(tmp_path, redis, seed=seed)) as cold:
        assert await decided(cold) == "state_unknown"
    async with running(settings_of(tmp_path, redis, seed=seed, serve_seed_when_unknown=True)) as cold:
        assert await decided(cold) == "new"
        assert (await cold.ok("GET", "/readyz"))["state"] == "stale"
        redis.start()
        # the seed is then sown as at any first start, and kept
        await until(lambda: cold.services.live.state.ruleset.revision > 0)
        assert (await cold.ok("GET", "/flags/rag-v2"))["version"] == 1
        assert await decided(cold) == "new"


async def test_what_redis_has_wins_over_a_seed_that_served(tmp_path: Path, redis: RedisServer, seed: Path) -> None:
    async with running(settings_of(tmp_path, redis)) as other:
        await other.with_rag(0)
        redis.send(signal.SIGSTOP)
        async with running(
            settings_of(tmp_path, redis, "cold", database_url=None, seed=seed, serve_seed_when_unknown=True)
        ) as cold:
            assert await decided(cold) == "new"
            redis.send(signal.SIGCONT)
            await until(lambda: cold.services.standing.is_fresh)
            assert await decided(cold) == "legacy"


async def test_age_and_last_contact_are_told_in_the_metrics(tmp_path: Path, redis: RedisServer) -> None:
    async with running(settings_of(tmp_path, redis)) as service:
        await service.with_rag()
        epoch = service.services.live.state.ruleset.epoch
        lines = (await service.ask("GET", "/metrics")).text.splitlines()
        assert f'crossfade_state_info{{epoch="{epoch}"}} 1.0' in lines
        assert await gauge(service, "crossfade_state_age_seconds") == 0
        assert await gauge(service, "crossfade_store_last_contact_seconds") == service.time.seconds
        redis.kill()
        await until(lambda: not service.services.standing.is_fresh)
        contact = service.time.seconds
        service.time.seconds += 42
        assert await gauge(service, "crossfade_state_age_seconds") == 42
        assert await gauge(service, "crossfade_store_last_contact_seconds") == contact
        redis.start()


async def test_a_change_that_only_redis_has_says_so(tmp_path: Path, redis: RedisServer) -> None:
    async with running(settings_of(tmp_path, redis)) as service:
        await service.with_rag()
        both = await service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 1})
        assert "x-crossfade-durability" not in both.headers
    async with running(settings_of(tmp_path, redis, database_url=NOWHERE)) as service:
        alone = await service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 2})
        assert (alone.status_code, alone.headers.get("x-crossfade-durability")) == (200, "redis")
        read = await service.ask("GET", "/flags/rag-v2")
        assert "x-crossfade-durability" not in read.headers


@pytest.mark.parametrize(("method", "status"), [("POST", 201), ("DELETE", 200)])
async def test_a_kill_or_release_that_only_one_store_has_says_so(
    tmp_path: Path, redis: RedisServer, method: str, status: int
) -> None:
    async with running(settings_of(tmp_path, redis)) as service:
        await service.with_rag()
        both = await service.ask("POST", "/flags/rag-v2/kill")
        assert "x-crossfade-durability" not in both.headers
        redis.kill()
        alone = await service.ask(method, "/flags/rag-v2/kill")
        assert (alone.status_code, alone.headers.get("x-crossfade-durability")) == (status, "sql")
    redis.start()
    async with running(settings_of(tmp_path, redis)) as service:
        await service.ok("POST", "/flags/rag-v2/kill")
    async with running(settings_of(tmp_path, redis, database_url=NOWHERE)) as service:
        alone = await service.ask(method, "/flags/rag-v2/kill")
        assert (alone.status_code, alone.headers.get("x-crossfade-durability")) == (status, "redis")


async def test_what_only_the_journal_tells_is_503_without_it(tmp_path: Path, redis: RedisServer) -> None:
    async with running(settings_of(tmp_path, redis)) as service:
        await service.with_rag()
    async with running(settings_of(tmp_path, redis, database_url=NOWHERE)) as service:
        asked = [
            ("GET", "/audit", None),
            ("GET", "/audit?target=flag:rag-v2", None),
            ("GET", "/flags/rag-v2/history", None),
            ("GET", "/routes/rag/history", None),
            ("POST", "/flags/rag-v2/revert", {"version": 1}),
        ]
        for method, path, body in asked:
            away = await service.ask(method, path, body)
            assert (away.status_code, away.json()["code"]) == (503, "store_unavailable"), path
            assert int(away.headers["retry-after"]) > 0
            assert away.json()["detail"].startswith("this is read from the journal, which cannot be asked: ")


async def test_a_start_waits_for_a_silent_journal_once_and_not_for_each_thing_it_asks(
    tmp_path: Path, redis: RedisServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"postgresql://nobody:nothing@127.0.0.1:{silent.getsockname()[1]}/nothing"
        async with running(settings_of(tmp_path, redis)) as before:
            await before.with_rag(100)
        began = time.monotonic()
        async with running(settings_of(tmp_path, redis, database_url=nobody)) as cold:
            assert time.monotonic() - began < START_S
            assert await decided(cold) == "new"
