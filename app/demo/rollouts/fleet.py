"""The stage of the rollouts: two replicas over one Redis and one database, and backends with flaws."""

import asyncio
import re
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from app.demo.client import Client
from app.demo.processes import Child, Children
from app.demo.report import Report
from app.demo.stage import HOME, HOST, START_S, listening, start_redis

SEED = Path(__file__).with_name("fleet.yaml")
LEADS = re.compile(r"^crossfade_steering_leader(?:\{[^}]*\})? 1(?:\.0)?$", re.MULTILINE)

BACKENDS = {
    "steady": ("--median-ms", "200", "--seed", "1"),
    "renewed": ("--median-ms", "200", "--seed", "2"),
    "slow": ("--median-ms", "280", "--seed", "3"),
    "wavering": ("--errors", "0.05", "--median-ms", "10", "--seed", "4"),
    "failing": ("--errors", "0.15", "--median-ms", "10", "--seed", "5"),
}
"""What each is told to be: `slow` is 40 % slower than `steady`, `failing` fails 3 times as often as `wavering`.

Times are long, so that what a busy machine adds to both sides is little beside them.
"""


@dataclass(frozen=True, slots=True)
class Replica:
    """A process of the service, and who calls it."""

    child: Child
    client: Client

    async def leads(self) -> bool:
        """Whether it is the one that steers. Raises SendError and TimeoutError."""
        return LEADS.search(await self.client.metrics()) is not None


@dataclass(slots=True)
class Fleet:
    """The running fleet; `lasting` are the children that no act kills, `calls` are counted by whoever makes them."""

    report: Report
    replicas: tuple[Replica, Replica]
    lasting: list[Child]
    calls: dict[str, int] = field(default_factory=dict)

    @property
    def clients(self) -> list[Client]:
        """Those who call the replicas that live."""
        return [replica.client for replica in self.replicas if replica.child.is_alive]

    def so_far(self) -> str:
        """Say how many calls were made."""
        return f"{sum(self.calls.values()):,} calls"

    def totals(self) -> str:
        """Say it route by route."""
        return "; ".join(f"{route}: {count:,} calls" for route, count in self.calls.items())


@asynccontextmanager
async def manned(report: Report) -> AsyncIterator[Fleet]:
    """Start everything in a folder of its own, and leave neither it nor a process. Raises ChildError."""
    HOME.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-", dir=HOME, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        async with Children(folder) as children, AsyncExitStack() as clients:
            report.step("Starting five backends, Redis and two replicas of the service")
            backends = await asyncio.gather(*(_backend(children, each) for each in BACKENDS))
            urls = {child.name: await child.address(START_S) for child in backends}
            settings = _settings(folder, urls, await start_redis(children, folder))
            replicas = [await _replica(children, clients, settings, f"{side}-replica") for side in ("first", "second")]
            fleet = Fleet(report, (replicas[0], replicas[1]), [*backends])
            report.so_far = fleet.so_far
            yield fleet
            report.step("Stopping")


async def _backend(children: Children, name: str) -> Child:
    return await children.python(name, "backends.flawed", *BACKENDS[name], *listening())


def _settings(folder: Path, urls: dict[str, str], redis_url: str) -> dict[str, str]:
    """Return what the replicas have in common."""
    seed = folder / "seed.yaml"
    seed.write_text(Template(SEED.read_text(encoding="utf-8")).substitute(urls), encoding="utf-8")
    return {
        "CROSSFADE_DATA_DIR": str(folder),
        "CROSSFADE_ADMIN_TOKEN": secrets.token_urlsafe(32),
        "CROSSFADE_SIGNING_KEY": secrets.token_urlsafe(32),
        "CROSSFADE_REDIS_URL": redis_url,
        "CROSSFADE_DATABASE_URL": f"sqlite:///{folder.absolute() / 'fleet.db'}",
        "CROSSFADE_SEED": str(seed),
        "CROSSFADE_OUTCOME_FLUSH_S": "0.2",
    }


async def _replica(children: Children, clients: AsyncExitStack, settings: dict[str, str], name: str) -> Replica:
    own = {**settings, "CROSSFADE_DATA_DIR": f"{settings['CROSSFADE_DATA_DIR']}/{name}"}
    child = await children.python(name, "app.cli", "serve", "--host", HOST, "--port", "0", settings=own)
    client = Client(await child.address(START_S), settings["CROSSFADE_ADMIN_TOKEN"])
    await clients.enter_async_context(client)
    await client.admit_users(name)
    return Replica(child, client)
