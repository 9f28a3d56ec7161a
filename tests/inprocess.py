"""A whole service in the test's own process: real store, scripted backends, a clock that stands still."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from app.clock import Clock
from app.main import create_app
from app.settings import Settings
from app.wiring import Services
from routers.call import Answer, Call
from routers.model import Backend

ADMIN = "admin-token-of-the-tests"
SIGNING_KEY = "signing-key-of-the-tests"
ALERTING = "alert-secret-of-the-tests"
FLAG = {"key": "rag-v2", "variants": {"new": True, "legacy": False}}
ROUTE = {
    "name": "rag",
    "flag": "rag-v2",
    "backends": {"legacy": {"url": "http://legacy:1"}, "new": {"url": "http://new:2"}},
    "fallback": {"replay": "always"},
}


@dataclass
class Script:
    """What backends answer: by their URL, a function from the call; everything that was sent is kept."""

    answers: dict[str, Callable[[Call], Answer | Exception]] = field(default_factory=dict)
    sent: list[tuple[str, Call]] = field(default_factory=list)

    async def send(self, backend: Backend, call: Call) -> Answer:
        """Answer as the script says, else 200 with the backend's URL."""
        self.sent.append((backend.url, call))
        script = self.answers.get(backend.url, _echo(backend.url))
        answer = script(call)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _echo(url: str) -> Callable[[Call], Answer]:
    body = orjson.dumps({"from": url})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    return lambda _: Answer(200, list(headers), body)


@dataclass
class Ticking:
    """A clock that moves only when told."""

    seconds: float = 1_800_000_000.0

    def clock(self) -> Clock:
        """Return the clock; both its faces show the same."""
        return Clock(wall=lambda: self.seconds, monotonic=lambda: self.seconds)


@dataclass
class Service:
    """A running service with a client that has the admin's token."""

    client: httpx.AsyncClient
    services: Services
    script: Script
    time: Ticking

    async def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request that must succeed, and return its JSON."""
        answer = await self.ask(method, path, body, **headers)
        assert answer.is_success, (answer.status_code, answer.text)
        return answer.json() if answer.content else None

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request; header names are given with underscores."""
        content = None if body is None else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, path, content=content, headers=named)

    async def with_rag(self, percentage: float = 0) -> None:
        """Make the flag and the route of the RAG migration."""
        await self.ok("POST", "/flags", FLAG)
        await self.ok("POST", "/routes", ROUTE)
        await self.ok("PUT", "/flags/rag-v2/rollout", {"percentage": percentage})

    def token(self, token: str | None) -> httpx.AsyncClient:
        """Return a client with another token, or none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=self.client._transport, base_url="http://crossfade", headers=headers)


@asynccontextmanager
async def running(settings: Settings, script: Script | None = None) -> AsyncIterator[Service]:
    """Run a service for a while."""
    script, time = script or Script(), Ticking()
    shell = create_app(settings, send=script.send, clock=time.clock())
    async with shell.control.router.lifespan_context(shell.control):
        transport = httpx.ASGITransport(app=shell)  # type: ignore[arg-type]  # httpx types ASGI more loosely
        headers = {"Authorization": f"Bearer {ADMIN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://crossfade", headers=headers) as client:
            assert shell.services is not None
            yield Service(client, shell.services, script, time)


def settings_in(folder: Path, **others: Any) -> Settings:
    """Return settings for a service whose state is in this folder."""
    usual = {"admin_token": ADMIN, "signing_key": SIGNING_KEY, "alert_secret": ALERTING, "log_level": "error"}
    # whoever reads a whole answer would wait for ever for that of a change stream
    return Settings(data_dir=folder, **{**usual, "ofrep_stream_s": 0.05, **others})
