"""The HTTP face of one side: `POST /generate-personas`, `GET /health`, problem+json for everything else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .brief import Brief
from .engine import Engine
from .upstream import UnavailableError

LARGEST_BODY = 64 * 1024
MOST_AT_ONCE = 256
DEADLINE_HEADER = "x-crossfade-deadline-ms"

CODES = {
    HTTPStatus.BAD_REQUEST: "not_json",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid_brief",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded",
}


@dataclass
class Desk:
    """Answers briefs side by side, up to a bound; the rest are told to come back."""

    engine: Engine
    deadline_s: float
    under_way: int = 0

    async def generate(self, request: Request) -> Response:
        """Answer a brief, unless its caller leaves first."""
        brief = _parse(await _read(request))
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
        exception_handlers={
            HTTPException: _refused,
            UnavailableError: _unavailable,
            ClientDisconnect: _nobody_listens,
            Exception: _failed,
        },
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


async def _read(request: Request) -> bytes:
    """Read the body here, because Starlette's own limit answers in plain text."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"the body may have {LARGEST_BODY} bytes")
    return bytes(body)


def _parse(body: bytes) -> Brief:
    try:
        return Brief.model_validate_json(body)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        status = 400 if errors[0]["type"] == "json_invalid" else 422
        detail = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in errors)
        raise HTTPException(status, detail) from None


def _deadline_s(request: Request, longest: float) -> float:
    told = request.headers.get(DEADLINE_HEADER, "")
    return min(longest, int(told) / 1000) if told.isdecimal() else longest


def _problem(status: int, code: str, detail: str) -> JSONResponse:
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return JSONResponse(problem, status, media_type="application/problem+json")


async def _refused(_request: Request, error: Exception) -> Response:
    refusal = cast("HTTPException", error)
    response = _problem(refusal.status_code, CODES[HTTPStatus(refusal.status_code)], refusal.detail)
    response.headers.update(refusal.headers or {})
    return response


async def _unavailable(_request: Request, error: Exception) -> Response:
    failure = cast("UnavailableError", error)
    response = _problem(failure.status, failure.code, failure.detail)
    if failure.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(failure.retry_after_s)))
    return response


async def _nobody_listens(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _failed(_request: Request, _error: Exception) -> Response:
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the brief could not be answered")
