"""The process that compares, beside real processes of the service: there when needed, gone with its service."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.app.shadowed import ALWAYS, passages, until
from tests.faulty import HANGS, Faulty, Turn, faulty
from tests.inprocess import FLAG
from tests.servers import redis_server
from tests.service import ADMIN, PATIENCE_S, WITHOUT_TLS, RunningService, started

pytestmark = pytest.mark.xdist_group("workers")


def stat_of(pid: str) -> list[str]:
    """Return the state and the parent of a process, and what follows; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def benches(*parents: int) -> set[int]:
    """Return the living processes that these have started to compare."""
    found = [(each.name, stat_of(each.name)) for each in Path("/proc").glob("[0-9]*")]
    return {int(pid) for pid, stat in found if stat and stat[0] != "Z" and int(stat[1]) in parents}


@asynccontextmanager
async def before(service: RunningService, legacy: Turn, new: Turn) -> AsyncIterator[tuple[httpx.AsyncClient, Faulty]]:
    """Put a shadowed route before two backends, and give a client and the candidate."""
    headers = {"Authorization": f"Bearer {ADMIN}", "X-User-Id": "u1"}
    client = httpx.AsyncClient(
        base_url=service.url, timeout=PATIENCE_S, trust_env=False, verify=WITHOUT_TLS, headers=headers
    )
    async with client, faulty(legacy) as one, faulty(new) as other:
        backends = {"legacy": {"url": one.url}, "new": {"url": other.url}}
        route = {"name": "rag", "flag": "rag-v2", "profile": "rag", "backends": backends, "shadow": ALWAYS}
        for path, document in (("/flags", FLAG), ("/routes", route)):
            (await client.post(path, json=document)).raise_for_status()
        yield client, other


async def compared(client: httpx.AsyncClient) -> int:
    """Return how many calls have been compared in all processes."""
    answer = await client.get("/routes/rag/comparison")
    items = answer.raise_for_status().json()["items"]
    return items[0]["compared"] if items else 0


async def is_over(question: Callable[[], object]) -> None:
    """Wait until nothing is there any more."""

    async def nothing() -> bool:
        return not question()

    await until(nothing)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
async def test_the_process_that_compares_ends_with_its_service(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path) as service:
        assert benches(service.process.pid) == set()
        async with before(service, passages("a"), passages("a")) as (client, _):
            assert (await client.post("/route/rag/query", json={})).status_code == 200

            async def one() -> bool:
                return await compared(client) == 1

            await until(one)
            [bench] = benches(service.process.pid)
            assert os.getpriority(os.PRIO_PROCESS, bench) > os.getpriority(os.PRIO_PROCESS, service.process.pid)
        service.stop(number)
        await is_over(lambda: (stat_of(f"{bench}") or ["Z"])[0] != "Z")


async def test_a_stop_waits_for_no_shadow(tmp_path: Path) -> None:
    with started(tmp_path) as service:
        async with before(service, passages("a"), HANGS) as (client, new):
            assert (await client.post("/route/rag/query", json={})).status_code == 200
            await new.asked.wait()
            began = time.monotonic()
            assert await asyncio.to_thread(service.stop) == 0
            assert time.monotonic() - began < 5


async def test_workers_compare_each_for_themselves_and_are_shown_together(tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server, started(tmp_path, "--workers", "2", redis_url=server.url) as service:
        async with before(service, passages("a"), passages("a")) as (client, _):
            workers = benches(service.process.pid)
            assert len(workers) == 2

            async def have_all_compared() -> bool:
                async with httpx.AsyncClient(headers=client.headers, verify=WITHOUT_TLS, trust_env=False) as fresh:
                    answer = await fresh.post(f"{service.url}/route/rag/query", json={})
                return answer.status_code in {200, 404} and len(benches(*workers)) == 2

            await until(have_all_compared)
            calls = sum([(await client.post("/route/rag/query", json={})).status_code == 200 for _ in range(20)])
            assert calls == 20

            async def all_of_them() -> bool:
                return await compared(client) >= calls

            await until(all_of_them)
            both = benches(*workers)
        assert await asyncio.to_thread(service.stop) == 0
        await is_over(lambda: [pid for pid in both if (stat_of(f"{pid}") or ["Z"])[0] != "Z"])
