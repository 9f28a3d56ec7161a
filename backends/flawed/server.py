"""The HTTP face: `POST /answer` is slow, and fails now and then; problem+json for everything else."""

import asyncio
import random
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from backends.problems import handlers, problem, read

SPREAD = 0.25
"""Sigma of the log of the times: the 95th percentile is half as much again as the median."""


@dataclass(slots=True)
class Flaws:
    """How often it fails, 0 to 1, and how long half of its answers take at most, in seconds."""

    errors: float
    median_s: float
    seed: int = 0
    _lots: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """Shuffle, so that a seed draws the same lots."""
        self._lots = random.Random(self.seed)

    def takes_s(self) -> float:
        """Draw how long an answer takes: log-normal."""
        return self.median_s * self._lots.lognormvariate(0, SPREAD)

    def fails(self) -> bool:
        """Draw whether an answer is an error."""
        return self._lots.random() < self.errors


def application(flaws: Flaws) -> Starlette:
    """Put the flaws behind HTTP."""

    async def answer(request: Request) -> Response:
        await read(request)
        await asyncio.sleep(flaws.takes_s())
        return problem(500, "internal", "drawn by lot") if flaws.fails() else JSONResponse({"answer": "yes"})

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[Route("/answer", answer, methods=["POST"]), Route("/health", health, methods=["GET"])],
        exception_handlers=handlers("question"),
    )
