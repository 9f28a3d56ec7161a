"""A running service whose route has a shadow, before two backends that do as they are told."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from app.main import create_app
from app.wiring import Services
from tests.faulty import Faulty, Turn, faulty, whole
from tests.inprocess import ADMIN, FLAG, settings_in

PATIENCE_S = 20
ALWAYS: dict[str, Any] = {"sample": 1, "control_sample": 0}


def passages(*names: str) -> Turn:
    """Answer as the RAG backends do, with these ids."""
    return [whole(orjson.dumps({"passages": [{"id": name} for name in names]}))]


class Shadowed:
    """A running service whose route has a shadow, and both backends."""

    def __init__(self, client: httpx.AsyncClient, services: Services, legacy: Faulty, new: Faulty) -> None:
        self.client = client
        self.services = services
        self.legacy = legacy
        self.new = new

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(method, path, content=None if body is None else orjson.dumps(body))
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json()

    async def call(self, **headers: str) -> httpx.Response:
        named = {"X-User-Id": "u1", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.client.post("/route/rag/query", content=b'{"query": "x"}', headers=named)

    async def comparison(self, window: str = "1h") -> Any:
        return await self.ok("GET", f"/routes/rag/comparison?window={window}")

    async def settled(self) -> bool:
        """Say whether no shadow call is under way."""
        return self.services.shadows.under_way == 0

    def kill_the_bench(self) -> None:
        """Kill the process that compares."""
        pid = self.services.shadows.bench
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    async def item(self, **counts: int) -> Any:
        """Return the comparison of the first pair once `ended` has these counts."""

        async def has_them() -> Any:
            found = (await self.comparison())["items"]
            return (
                found[0] if found and counts.items() <= {**found[0]["ended"], **found[0]["dropped"]}.items() else None
            )

        return await until(has_them)


async def until(question: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until there is an answer."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await question()):
            await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def shadowed(
    folder: Path,
    legacy: Turn,
    new: Turn,
    percentage: float = 0,
    shadow: dict[str, Any] | None = ALWAYS,
    breaker: dict[str, Any] | None = None,
) -> AsyncIterator[Shadowed]:
    """Run a service before two backends."""
    async with AsyncExitStack() as stack:
        sides = [await stack.enter_async_context(faulty(each)) for each in (legacy, new)]
        shell = create_app(settings_in(folder))
        await stack.enter_async_context(shell.control.router.lifespan_context(shell.control))
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=shell),
            base_url="http://crossfade",
            headers={"Authorization": f"Bearer {ADMIN}"},
        )
        await stack.enter_async_context(client)
        assert shell.services is not None
        service = Shadowed(client, shell.services, *sides)
        backends = {
            name: {"url": side.url, "breaker": breaker or {}}
            for name, side in zip(("legacy", "new"), sides, strict=True)
        }
        await service.ok("POST", "/flags", FLAG)
        document = {"name": "rag", "flag": "rag-v2", "profile": "rag", "backends": backends, "shadow": shadow}
        await service.ok("POST", "/routes", document)
        await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": percentage})
        yield service
