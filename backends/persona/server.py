"""The HTTP face of one side: `POST /generate-personas`, `GET /health`, problem+json for everything else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backends.problems import handlers, parse, problem, read

from .brief import Brief
from .engine import Engine
from .upstream import UnavailableError

MOST_AT_ONCE = 256
DEADLINE_HEADER = "x-crossfade-deadline-ms"


@dataclass
class Desk:
    """Answers briefs side by side, up to a bound; the rest are told to come back."""

    engine: Engine
    deadline_s: float
    under_way: int = 0

    async def generate(self, request: Request) -> Response:
        """Answer a brief, unless its caller leaves first."""
        brief = parse(Brief, await read(request))
        if self.under_way >= MOST_AT_ONCE:
            raise HTTPException(503, f"{MOST_AT_ONCE} briefs are being answered already", {"Retry-After": "1"})
        until = asyncio.get_running_loop().time() + _deadline_s(request, self.deadline_s)
        self.under_way += 1
        try:
            return JSONResponse(await _while_wanted(request, asyncio.create_task(self._answer(brief, until))))
        finally:
            self.under_way -= 1

    async def health(self, _request: Request) -> Response:
        """Say which side this is, without asking anybody."""
        return JSONResponse({"status": "ok", "side": self.engine.side, "under_way": self.under_way})

    async def _answer(self, brief: Brief, until: float) -> dict[str, object]:
        try:
            async with asyncio.timeout_at(until):
                return await self.engine.answer(brief, until)
        except TimeoutError:
            raise UnavailableError(504, "deadline_exceeded", "there was no answer before the deadline") from None


def application(engine: Engine, deadline_s: float) -> Starlette:
    """Put an engine behind HTTP; a call may shorten the deadline by `X-Crossfade-Deadline-Ms`."""
    desk = Desk(engine, deadline_s)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await engine.close()

    return Starlette(
        routes=[
            Route("/generate-personas", desk.generate, methods=["POST"]),
            Route("/health", desk.health, methods=["GET"]),
        ],
        exception_handlers={**handlers("brief"), UnavailableError: _unavailable},
        lifespan=lifespan,
    )


async def _while_wanted(request: Request, work: asyncio.Task[dict[str, object]]) -> dict[str, object]:
    """Let the work go on until it is done or its caller has left."""
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


def _deadline_s(request: Request, longest: float) -> float:
    told = request.headers.get(DEADLINE_HEADER, "")
    return min(longest, int(told) / 1000) if told.isdecimal() else longest


async def _unavailable(_request: Request, error: Exception) -> Response:
    failure = cast("UnavailableError", error)
    response = problem(failure.status, failure.code, failure.detail)
    if failure.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(failure.retry_after_s)))
    return response
