"""The HTTP face of one side: `POST /query`, `GET /health`, problem+json for everything else."""

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .engine import Engine, Query

LARGEST_BODY = 64 * 1024
LONGEST_QUEUE = 256

CODES = {
    HTTPStatus.BAD_REQUEST: "not_json",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid_query",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal",
    HTTPStatus.SERVICE_UNAVAILABLE: "overloaded",
}


@dataclass
class Desk:
    """Answers one query at a time in a thread; a few may wait, the rest are told to come back."""

    engine: Engine
    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def query(self, request: Request) -> Response:
        """Answer a query, unless its caller has given up before its turn came."""
        query = _parse(await _read(request))
        if self.waiting >= LONGEST_QUEUE:
            raise HTTPException(503, f"{LONGEST_QUEUE} queries are waiting already", {"Retry-After": "1"})
        self.waiting += 1
        try:
            async with self.turn:
                if await request.is_disconnected():
                    raise ClientDisconnect
                return JSONResponse(await asyncio.to_thread(self.engine.answer, query))
        finally:
            self.waiting -= 1

    async def health(self, _request: Request) -> Response:
        """Say what is being served, even while queries wait."""
        return JSONResponse(self.engine.health())


def application(engine: Engine) -> Starlette:
    """Put an engine behind HTTP."""
    desk = Desk(engine)
    return Starlette(
        routes=[
            Route("/query", desk.query, methods=["POST"]),
            Route("/health", desk.health, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _refused, ClientDisconnect: _nobody_listens, Exception: _failed},
    )


async def _read(request: Request) -> bytes:
    """Read the body here, because Starlette's own limit answers in plain text."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"the body may have {LARGEST_BODY} bytes")
    return bytes(body)


def _parse(body: bytes) -> Query:
    try:
        return Query.model_validate_json(body)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        status = 400 if errors[0]["type"] == "json_invalid" else 422
        detail = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in errors)
        raise HTTPException(status, detail) from None


def _problem(status: int, detail: str) -> JSONResponse:
    known = HTTPStatus(status)
    problem = {"type": "about:blank", "title": known.phrase, "status": status, "detail": detail, "code": CODES[known]}
    return JSONResponse(problem, status, media_type="application/problem+json")


async def _refused(_request: Request, error: Exception) -> Response:
    refusal = cast("HTTPException", error)
    response = _problem(refusal.status_code, refusal.detail)
    response.headers.update(refusal.headers or {})
    return response


async def _nobody_listens(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _failed(_request: Request, _error: Exception) -> Response:
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the query could not be answered")
