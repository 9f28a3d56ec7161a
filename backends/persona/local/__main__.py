"""`python -m backends.persona.local`: serve the wire formats of Qloo and Gemini until SIGTERM."""

import argparse

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backends.process import serve

from .culture import Culture
from .dataset import load
from .faults import Api, Behaviour, Faults, Misbehaving
from .textmodel import TextModel


def application(faults: Faults, seed: str = "") -> Starlette:
    """Put both APIs, and the switch for their faults, behind one address."""
    culture, model = Culture(load()), TextModel(load(), seed)

    def behind(api: Api) -> list[Middleware]:
        return [Middleware(Misbehaving, api=api, faults=faults)]

    return Starlette(
        routes=[
            Route("/v2/insights", culture.insights, methods=["GET"], middleware=behind("qloo")),
            Route("/v2/tags", culture.tags, methods=["GET"], middleware=behind("qloo")),
            Route("/search", culture.search, methods=["GET"], middleware=behind("qloo")),
            Route(
                "/v1beta/models/{model}:generateContent", model.generate, methods=["POST"], middleware=behind("gemini")
            ),
            Route("/_fault", faults.change, methods=["POST"]),
            Route("/_fault", faults.show, methods=["GET"]),
            Route("/health", _health, methods=["GET"]),
        ]
    )


def main() -> None:
    """Serve, well or badly."""
    parser = argparse.ArgumentParser("python -m backends.persona.local", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="how long each answer takes at least")
    parser.add_argument("--rate-limit", type=int, help="calls a second of each API; more are answered 429")
    parser.add_argument("--fault", help="hang, crash, garbage or error; error:0.1 is one call in ten")
    parser.add_argument("--seed", default="", help="another seed writes other personas")
    told = parser.parse_args()
    try:
        behaviour = Behaviour(latency_ms=told.latency_ms, rate_limit=told.rate_limit, fault=told.fault)
    except ValidationError as error:
        parser.error("; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors()))
    serve(lambda: application(Faults(behaviour), told.seed), told.host, told.port)


async def _health(_request: Request) -> Response:
    dataset = load()
    return JSONResponse({"status": "ok", "places": len(dataset.places), "entities": len(dataset.entities)})


if __name__ == "__main__":
    main()
