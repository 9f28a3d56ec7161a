"""The HTTP face of one side: `POST /query`, `GET /health`, problem+json for everything else."""

from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backends.desk import Desk
from backends.problems import handlers, parse, read

from .engine import Engine, Query


def application(engine: Engine) -> Starlette:
    """Put an engine behind HTTP."""
    desk = Desk()

    async def query(request: Request) -> Response:
        asked = parse(Query, await read(request))
        return await desk.answer(request, partial(engine.answer, asked))

    async def health(_request: Request) -> Response:
        return JSONResponse(engine.health())

    return Starlette(
        routes=[Route("/query", query, methods=["POST"]), Route("/health", health, methods=["GET"])],
        exception_handlers=handlers("query"),
    )
