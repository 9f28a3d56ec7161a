"""Backends that do as they are told: a `send` that plays scripts, and routes and lanes to go with it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from flags.names import Reason
from routers.breaker import Breaker
from routers.call import Answer, Call, Headers, SendError
from routers.causes import Cause
from routers.lanes import Lane
from routers.model import Backend, Route
from routers.plan import Plan

JSON: Headers = [(b"content-type", b"application/json")]


@dataclass(frozen=True)
class Script:
    """What a backend does: nothing for `after_s`, then fail with `cause`, or answer; None for `after_s` is for ever.

    `pieces` follow the first of a stream, each after its seconds; a cause among them breaks the stream off.
    """

    after_s: float | None = 0.0
    cause: Cause | None = None
    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes = b"first"
    pieces: tuple[tuple[float | None, bytes | Cause], ...] | None = None


class Pieces:
    """The pieces of a script; knows whether it was let go of."""

    def __init__(self, script: Script) -> None:
        self._left = list(script.pieces or ())
        self.closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        after_s, piece = self._left.pop(0)
        await pause(after_s)
        if isinstance(piece, Cause):
            raise SendError(piece, "as told")
        return piece

    async def aclose(self) -> None:
        """Note that nobody wants the rest."""
        self.closed = True


class Stage:
    """Plays one script per backend and remembers who was sent what, in order."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        self.scripts = dict(scripts)
        self.sent: list[str] = []
        self.ended: list[str] = []
        self.streams: list[Pieces] = []

    async def send(self, backend: Backend, call: Call) -> Answer:
        """Play the backend's script."""
        assert call.method
        name = backend.url.removeprefix("http://")
        self.sent.append(name)
        script = self.scripts[name]
        try:
            await pause(script.after_s)
        finally:
            self.ended.append(name)
        if script.cause is not None:
            raise SendError(script.cause, "as told")
        return Answer(script.status, script.headers, script.body, self._rest(script))

    def _rest(self, script: Script) -> AsyncIterator[bytes] | None:
        if script.pieces is None:
            return None
        self.streams.append(Pieces(script))
        return self.streams[-1]


async def pause(seconds: float | None) -> None:
    """Wait; None is for ever, in so far as a day is."""
    if seconds != 0:
        await asyncio.sleep(86_400 if seconds is None else seconds)


def a_route(**changes: Any) -> Route:
    """Return a route from new to legacy; `new` and `legacy` add to the backends' fields."""
    sides = {name: {"url": f"http://{name}", **changes.pop(name, {})} for name in ("new", "legacy")}
    return Route.model_validate({"name": "r", "flag": "f", "backends": sides} | changes)


def lanes_of(route: Route) -> dict[str, Lane]:
    """Return fresh lanes, without chance."""
    return {
        name: Lane(
            name,
            Breaker(backend.breaker, lambda: 0.0, lambda _: None),
            backend.max_concurrency,
            route.fallback.max_concurrency,
        )
        for name, backend in route.backends.items()
    }


def both() -> Plan:
    """Return the plan of somebody who should get new."""
    return Plan("new", ("new", "legacy"), Reason.SPLIT)


def only(name: str) -> Plan:
    """Return a plan of one backend."""
    return Plan(name, (name,), Reason.DEFAULT)


def a_call(method: str = "GET") -> Call:
    """Return a call."""
    return Call(method, "/query", [], b"")
