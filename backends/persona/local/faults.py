"""How the local servers misbehave: late, limited, silent, broken or dead, as told at the start or by `/_fault`."""

import asyncio
import os
from math import ceil
from random import Random
from time import monotonic
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .textmodel import failure

Fault = Annotated[str, StringConstraints(pattern=r"^(?:hang|crash|garbage|error)(?::(?:0|1|0?\.\d+))?$")]
Api = Literal["qloo", "gemini"]
CRASHED = 70


class Behaviour(BaseModel):
    """What an API does: a fault is `hang`, `crash`, `garbage` or `error`; `error:0.1` happens one time in ten."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    latency_ms: Annotated[float, Field(ge=0, le=600_000)] = 0.0
    rate_limit: Annotated[int | None, Field(ge=0, description="Calls a second; more are answered 429.")] = None
    fault: Fault | None = None


class Faults:
    """The behaviour of both APIs, and the calls counted for their limits."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.of: dict[Api, Behaviour] = {"qloo": behaviour, "gemini": behaviour.model_copy()}
        self._windows: dict[Api, tuple[int, int]] = {}
        self._chance = Random(0)

    async def change(self, request: Request) -> Response:
        """Take new behaviour: of one API, `{"qloo": {"fault": "hang"}}`, or of both; what is not named ends."""
        try:
            told = _Told.model_validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"errors": error.errors(include_url=False, include_context=False)}, 422)
        self.of = {"qloo": told.qloo, "gemini": told.gemini}
        return await self.show(request)

    async def show(self, _request: Request) -> Response:
        """Say how both behave now."""
        return JSONResponse({api: behaviour.model_dump() for api, behaviour in self.of.items()})

    def wait_s(self, api: Api, now: float) -> int:
        """Count a call at a time in seconds; return how many seconds it comes too early, 0 if it may pass."""
        limit = self.of[api].rate_limit
        second, count = self._windows.get(api, (0, 0))
        count = count + 1 if second == int(now) else 1
        self._windows[api] = int(now), count
        return 0 if limit is None or count <= limit else ceil(int(now) + 1 - now)

    def fault(self, api: Api) -> str:
        """Return what goes wrong with this call, or nothing."""
        kind, _, share = (self.of[api].fault or "").partition(":")
        return kind if self._chance.random() < float(share or 1) else ""


class Misbehaving:
    """An API that may do something else than it should."""

    def __init__(self, app: ASGIApp, api: Api, faults: Faults) -> None:
        self._app, self._api, self._faults = app, api, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, refuse, break, or answer."""
        app = await self._instead() or self._app
        await app(scope, receive, send)

    async def _instead(self) -> ASGIApp | None:
        if wait_s := self._faults.wait_s(self._api, monotonic()):
            return limited(self._api, wait_s)
        await asyncio.sleep(self._faults.of[self._api].latency_ms / 1000)
        match self._faults.fault(self._api):
            case "hang":
                await asyncio.Event().wait()
            case "crash":
                os._exit(CRASHED)
            case "garbage":
                return Response('{"success": tr', media_type="application/json")
            case "error":
                return broken(self._api)
        return None


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid")

    qloo: Behaviour = Behaviour()
    gemini: Behaviour = Behaviour()


def limited(api: Api, wait_s: int) -> Response:
    """Return the 429 of an API."""
    if api == "gemini":
        answer = failure(429, "Resource has been exhausted (e.g. check quota).")
    else:
        answer = JSONResponse({"errors": [{"path": "", "message": "too many requests"}]}, 429)
    answer.headers["Retry-After"] = str(wait_s)
    return answer


def broken(api: Api) -> Response:
    """Return the 500 of an API."""
    if api == "gemini":
        return failure(500, "An internal error has occurred.")
    return JSONResponse({"errors": [{"path": "", "message": "internal server error"}]}, 500)
