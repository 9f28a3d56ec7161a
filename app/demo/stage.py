"""Everything the story needs, running: a folder, two backends, the service, its users and the watch on the breaker."""

import asyncio
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from app.demo.breaker_watch import BreakerWatch
from app.demo.client import Client
from app.demo.processes import Child, ChildError, Children
from app.demo.report import Report

HOME = Path(".crossfade")
CACHE = HOME / "cache"
SEED = Path(__file__).with_name("seed.yaml")
HOST = "127.0.0.1"
EMBEDDING_S = 400.0
START_S = 60.0
FIRST = "; MiniLM embeds the Python reference, the first time only (half a minute)"
LOOK_EVERY_S = 0.05


@dataclass(slots=True)
class Stage:
    """The running demo; `new` is replaced when that side is started again, on the same port."""

    report: Report
    children: Children
    client: Client
    watch: BreakerWatch
    new: Child
    new_port: int

    async def start_new_again(self) -> None:
        """Start new after its death, and wait until it listens. Raises ChildError."""
        self.new = await _backend(self.children, "new", self.new_port)
        await self.new.address(EMBEDDING_S)


@asynccontextmanager
async def staged(report: Report) -> AsyncIterator[Stage]:
    """Start everything in a folder of its own, and leave neither it nor a process. Raises ChildError."""
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=HOME, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with Children(folder) as children:
            is_first = not any(CACHE.iterdir())
            report.step("Starting two backends and the service" + (FIRST if is_first else ""))
            legacy, new = await asyncio.gather(_backend(children, "legacy"), _backend(children, "new"))
            urls = {"legacy": await legacy.address(EMBEDDING_S), "new": await new.address(EMBEDDING_S)}
            token = secrets.token_urlsafe(32)
            service, url = await _service(children, folder, urls, token)
            async with Client(url, token) as client:
                await _until_ready(service, client)
                await client.admit_users()
                report.totals = client.totals
                async with BreakerWatch(client) as watch:
                    yield Stage(report, children, client, watch, new, urlsplit(urls["new"]).port or 0)
                    report.step("Stopping")


async def _backend(children: Children, side: str, port: int = 0) -> Child:
    arguments = ("--host", HOST, "--port", str(port), "--cache-dir", str(CACHE))
    return await children.python(side, "backends.rag", side, *arguments)


async def _service(children: Children, folder: Path, urls: dict[str, str], token: str) -> tuple[Child, str]:
    """Start the service on the seed, as anyone would; return it and its address."""
    seed = folder / "seed.yaml"
    seed.write_text(Template(SEED.read_text(encoding="utf-8")).substitute(urls), encoding="utf-8")
    settings = {
        "CROSSFADE_DATA_DIR": str(folder / "state"),
        "CROSSFADE_ADMIN_TOKEN": token,
        "CROSSFADE_SEED": str(seed),
    }
    port = _free_port()
    service = await children.python(
        "service", "app.cli", "serve", "--host", HOST, "--port", str(port), settings=settings
    )
    return service, f"http://{HOST}:{port}"


async def _until_ready(service: Child, client: Client) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while not await client.is_ready():
                service.must_live()
                await asyncio.sleep(LOOK_EVERY_S)
            return
    raise ChildError(service.told(f"was not ready within {START_S:.0f} s"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
