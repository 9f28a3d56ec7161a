import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.app.cli.test_cli_serve import make_open_route
from tests.faulty import faulty, whole
from tests.servers import redis_server
from tests.service import PATIENCE_S, RunningService, started
from tests.steady import Steady

pytestmark = pytest.mark.xdist_group("drain")


def port_of(service: RunningService) -> int:
    return int(service.url.rpartition(":")[2])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def ended(process: subprocess.Popen[str]) -> int:
    await until(lambda: process.poll() is not None)
    return process.wait()


@asynccontextmanager
async def loaded(*services: RunningService, path: str = "/healthz", enough: int = 500) -> AsyncIterator[Steady]:
    """Keep steady traffic on the services, from so many answers on; at the end nothing may be lost."""
    load = Steady([port_of(each) for each in services], path, interval_s=0.005)
    running = asyncio.create_task(load.run(24))
    try:
        await until(lambda: load.answers["200"] > enough)
        yield load
    finally:
        load.is_over = True
        await running


async def test_under_load_not_one_request_is_lost_when_an_instance_stops(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    with started(tmp_path / "one") as one, started(tmp_path / "other") as other:
        async with loaded(one, other) as load:
            one.process.send_signal(signal.SIGTERM)
            assert await ended(one.process) == 0
            answered = load.answers["200"]
            await until(lambda: load.answers["200"] > answered + 200)
        assert load.lost == []
        assert {*load.answers} <= {"200", "closed while idle"}


async def test_under_load_not_one_request_is_lost_when_an_instance_of_workers_stops(tmp_path: Path) -> None:
    for name in ("redis", "one", "other"):
        (tmp_path / name).mkdir()
    with redis_server(tmp_path / "redis") as redis:
        several = ("--workers", "2")
        with (
            started(tmp_path / "one", *several, redis_url=redis.url) as one,
            started(tmp_path / "other", redis_url=redis.url) as other,
        ):
            async with loaded(one, other) as load:
                one.process.send_signal(signal.SIGTERM)
                assert await ended(one.process) == 0
            assert load.lost == []
            assert {*load.answers} <= {"200", "closed while idle"}


async def test_calls_under_way_in_every_worker_are_answered_when_they_stop(tmp_path: Path) -> None:
    for name in ("redis", "one", "other"):
        (tmp_path / name).mkdir()
    with redis_server(tmp_path / "redis") as redis:
        several = ("--workers", "2")
        with (
            started(tmp_path / "one", *several, redis_url=redis.url) as one,
            started(tmp_path / "other", *several, redis_url=redis.url) as other,
        ):
            async with faulty([0.3, whole()]) as backend:
                await asyncio.to_thread(make_open_route, one, backend.url)
                async with loaded(one, other, path="/route/slow", enough=100) as load:
                    one.process.send_signal(signal.SIGTERM)
                    assert await ended(one.process) == 0
                assert load.lost == []
                assert {*load.answers} <= {"200", "closed while idle"}


async def test_a_stopping_instance_is_not_ready_and_still_answers(tmp_path: Path) -> None:
    with started(tmp_path) as service:
        _, idle = await asyncio.open_connection("127.0.0.1", port_of(service))
        assert service.client.get("/healthz").headers.get("connection") is None
        service.process.send_signal(signal.SIGTERM)
        await until(lambda: service.client.get("/readyz").status_code == 503)
        answer = service.client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "draining")
        await until(lambda: service.client.get("/healthz").headers.get("connection") == "close")
        assert service.process.wait(PATIENCE_S) == 0
        idle.close()


async def test_a_stream_that_outlasts_the_drain_limit_is_told_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as backend, started(tmp_path, drain_s=1) as service:
        make_open_route(service, f"http://127.0.0.1:{backend.getsockname()[1]}")
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(service))
        writer.write(b"GET /route/slow HTTP/1.1\r\nhost: x\r\n\r\n")
        connection, _ = await asyncio.to_thread(backend.accept)
        with connection:
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n")
            await reader.readuntil(b"data: 1\n\n")
            service.process.send_signal(signal.SIGTERM)
            rest = await asyncio.wait_for(reader.read(), PATIENCE_S)
        assert b'event: error\ndata: {"code":"route_failed","cause":"interrupted"}' in rest
        assert not rest.endswith(b"0\r\n\r\n")
        assert await ended(service.process) == 0
        assert "Traceback" not in service.log
        writer.close()
