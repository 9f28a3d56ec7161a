"""The HTTP face of one side: `GET` and `POST /recommend`, `GET /health`, problem+json for everything else."""

from functools import partial

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backends.desk import Desk
from backends.problems import handlers, parse, read, refusal

from .engine import Engine
from .query import Query, of_parameters


def application(engine: Engine) -> Starlette:
    """Put an engine behind HTTP."""
    desk = Desk()

    async def recommend(request: Request) -> Response:
        query = parse(Query, await read(request)) if request.method == "POST" else _asked_in_address(request)
        return await desk.answer(request, partial(engine.answer, query))

    async def health(_request: Request) -> Response:
        return JSONResponse(engine.health())

    return Starlette(
        routes=[
            Route("/recommend", recommend, methods=["GET", "POST"]),
            Route("/health", health, methods=["GET"]),
        ],
        exception_handlers=handlers("query"),
    )


def _asked_in_address(request: Request) -> Query:
    try:
        return of_parameters(request.query_params)
    except ValidationError as error:
        raise refusal(error) from None
