"""Three replicas over a real Redis and a real Postgres, with everything that can be broken."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.connection import HOST, Answer, BrokenError, Connection, request
from tests.chaos.judge import Line
from tests.chaos.proxy import Proxy, proxy_before
from tests.postgres import PostgresServer, postgres_server
from tests.servers import RedisServer, free_port, redis_server
from tests.service import ADMIN, ROOT, environment

REPLICAS = 3
WORKERS = 2
PATIENCE_S = 30.0
LOOK_EVERY_S = 0.05


class Standing(NamedTuple):
    """What the living workers of a replica have in force: the worst of each, and `contact` in seconds since 1970."""

    workers: int
    epochs: frozenset[str]
    revision: int
    age_s: float
    contact: float


@dataclass
class Replica:
    """One `crossfade serve` with workers, on a port of its own."""

    number: int
    port: int
    folder: Path
    settings: dict[str, Any]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        command = [sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port", f"{self.port}"]
        env = environment(**self.settings, data_dir=self.folder / "data", admin_token=ADMIN, log_level="warning")
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--workers", f"{WORKERS}"], cwd=ROOT, env=env, stdout=log, stderr=log
            )

    def kill_worker(self, chance: random.Random) -> frozenset[Line]:
        """Kill one of its workers without a warning, and return who was connected to it."""
        assert self.process is not None
        worker = chance.choice(psutil.Process(self.process.pid).children())
        # frozen first: what it has by then is all that it ever has
        worker.suspend()
        while worker.status() != psutil.STATUS_STOPPED:
            time.sleep(0)
        lines = _lines_of(worker, self)
        worker.kill()
        return lines

    async def standing(self) -> Standing:
        """Return what its workers have in force, whichever of them is asked."""
        text = (await self.ask("GET", "/metrics")).body.decode()
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        value = {sample.name: sample.value for sample in samples}
        return Standing(
            int(value["crossfade_processes"]),
            frozenset(sample.labels["epoch"] for sample in samples if sample.name == "crossfade_state_info"),
            int(value["crossfade_state_revision"]),
            value["crossfade_state_age_seconds"],
            value["crossfade_store_last_contact_seconds"],
        )

    def stop(self) -> None:
        """Make an end of it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask on a connection of its own. Raises BrokenError when there is no answer."""
        connection = await Connection.to(self.number, self.port)
        try:
            return await connection.ask(request(method, path, ADMIN, body, **headers))
        finally:
            connection.close()

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Ask what must succeed, and return its JSON."""
        answer = await self.ask(method, path, body)
        assert 200 <= answer.status < 300, (method, path, answer)
        return answer.json()


def _lines_of(worker: psutil.Process, replica: Replica) -> frozenset[Line]:
    connections = [each for each in worker.net_connections("tcp") if each.laddr.port == replica.port and each.raddr]
    return frozenset(Line(replica.number, each.raddr.port) for each in connections)


@dataclass(frozen=True)
class Fleet:
    """The replicas, what they stand on, and the line between them and Redis."""

    replicas: list[Replica]
    redis: RedisServer
    postgres: PostgresServer
    line: Proxy

    async def settled(self) -> None:
        """Wait until every worker of every replica has met Redis from now on, and knows what one of them knows."""
        began = time.time()

        async def are_well() -> bool:
            told = await self._standings()
            epochs = frozenset[str]().union(*(each.epochs for each in told))
            return len(epochs) == 1 and all(
                each.workers == WORKERS and each.age_s == 0 and each.contact >= began for each in told
            )

        async def have_caught_up() -> bool:
            return min(each.revision for each in await self._standings()) >= newest

        await until(are_well, "a worker did not find its way back to Redis")
        newest = max([(await each.ok("GET", "/readyz"))["revision"] for each in self.replicas])
        await until(have_caught_up, "a worker did not hear of every change")

    async def _standings(self) -> list[Standing]:
        return [await each.standing() for each in self.replicas]


async def until(holds: Callable[[], Awaitable[bool]], complaint: str) -> None:
    """Ask again and again until something holds. Raises AssertionError with the complaint."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(BrokenError, KeyError):
                    if await holds():
                        return
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"{complaint} within {PATIENCE_S:g} s") from None


@asynccontextmanager
async def running_fleet(folder: Path) -> AsyncIterator[Fleet]:
    """Run a fleet until the end of the block; it is ready, and empty."""
    redis_folder = folder / "redis"
    redis_folder.mkdir()
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(redis_server(redis_folder))
        postgres = stack.enter_context(postgres_server())
        line = await stack.enter_async_context(proxy_before(redis.port))
        settings = {"redis_url": f"redis://{HOST}:{line.port}/0", "database_url": postgres.url}
        replicas = [Replica(number, free_port(), folder / f"replica-{number}", settings) for number in range(REPLICAS)]
        for replica in replicas:
            stack.callback(replica.stop)
            replica.start()
        fleet = Fleet(replicas, redis, postgres, line)
        await fleet.settled()
        yield fleet
