"""Three replicas over a real Redis and a real Postgres, with everything that can be broken."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.chaos.connection import HOST, Answer, BrokenError, Connection, request
from tests.chaos.proxy import Proxy, proxy_before
from tests.postgres import PostgresServer, postgres_server
from tests.servers import RedisServer, free_port, redis_server
from tests.service import ADMIN, ROOT, environment

REPLICAS = 3
WORKERS = 1
PATIENCE_S = 30.0
LOOK_EVERY_S = 0.05


@dataclass
class Replica:
    """One `crossfade serve` on a port of its own, which it keeps when it is started again.

    It is `in_service` while a load balancer would give it calls.
    """

    number: int
    port: int
    folder: Path
    settings: dict[str, Any]
    in_service: bool = field(default=True, init=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        command = [sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port", f"{self.port}"]
        command += ["--workers", f"{WORKERS}"] if WORKERS > 1 else []
        env = environment(**self.settings, data_dir=self.folder / "data", admin_token=ADMIN, log_level="warning")
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)

    def workers(self) -> list[int]:
        """Return the ids of the processes that answer on its port."""
        assert self.process is not None
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        return [each.pid for each in family if _answers(each, self.port)][-WORKERS:]

    def kill(self, worker: int) -> None:
        """Kill a worker without a warning; one that is the whole replica takes it out of service."""
        assert self.process is not None
        self.in_service = worker != self.process.pid
        os.kill(worker, signal.SIGKILL)

    async def mend(self) -> None:
        """Start it again, unless it brings its worker back by itself, and put it in service when it is ready."""
        if not self.in_service:
            self.stop()
            self.start()
            await until(self.is_ready, "a replica that was started again did not become ready")
            self.in_service = True

    async def is_ready(self) -> bool:
        """Whether it has its state."""
        return (await self.ask("GET", "/readyz")).status == 200

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
        try:
            connection = await Connection.to(self.number, self.port)
        except OSError as error:
            raise BrokenError(str(error)) from error
        try:
            return await connection.ask(request(method, path, ADMIN, body, **headers))
        finally:
            connection.close()

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Ask what must succeed, and return its JSON."""
        answer = await self.ask(method, path, body)
        assert 200 <= answer.status < 300, (method, path, answer)
        return answer.json()


def _answers(process: psutil.Process, port: int) -> bool:
    with suppress(psutil.Error):
        return any(each.laddr and each.laddr.port == port for each in process.net_connections("tcp"))
    return False


@dataclass(frozen=True)
class Fleet:
    """The replicas, what they stand on, and the line between them and Redis."""

    replicas: list[Replica]
    redis: RedisServer
    postgres: PostgresServer
    line: Proxy

    async def ready(self) -> None:
        """Wait until every replica answers from the same state as the others, and reaches Redis."""

        async def are_ready() -> bool:
            told = [(await each.ask("GET", "/readyz")).json() for each in self.replicas]
            states = {(each["epoch"], each["revision"]) for each in told}
            return len(states) == 1 and all(each["store"] == "ok" for each in told)

        await until(are_ready, "the replicas did not become ready")


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
        await fleet.ready()
        yield fleet
