"""Probes and metrics: what a cluster asks without a token."""

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api.params import ServicesOf
from app.stores.records import StoreUnavailableError
from app.wiring import Services

router = APIRouter(tags=["operation"])

Status = Literal["ready", "starting", "draining"]

ASKED_S = 0.3
"""How long a probe waits for the store."""


class Alive(BaseModel):
    """The process runs."""

    status: str


class Ready(BaseModel):
    """Whether the process answers, and from which state.

    The state is `fresh` in contact with the store, `stale` for up to `age_s` seconds without, or `unknown`; `store`
    says whether the store can be asked at the moment.
    """

    status: Status
    state: Literal["fresh", "stale", "unknown"]
    store: Literal["ok", "unavailable"]
    epoch: str
    revision: int
    age_s: float


@router.get("/healthz")
async def healthz() -> Alive:
    """Say that the process runs."""
    return Alive(status="alive")


@router.get("/readyz", responses={503: {"model": Ready, "description": "It does not know its state yet, or stops."}})
async def readyz(services: ServicesOf, response: Response) -> Ready:
    """Say whether the process knows its state: then it goes on deciding while the store is away.

    503 until then, and from SIGTERM on.
    """
    live, standing, ruleset = services.live, services.standing, services.live.state.ruleset
    store = await _store(services)
    status = _status(services)
    response.status_code = 200 if status == "ready" else 503
    known: Literal["fresh", "stale"] = "fresh" if standing.is_fresh and store == "ok" else "stale"
    return Ready(
        status=status,
        state=known if live.is_known else "unknown",
        store=store,
        epoch=ruleset.epoch,
        revision=ruleset.revision,
        age_s=round(standing.age_s, 3),
    )


def _status(services: Services) -> Status:
    if services.draining.is_set():
        return "draining"
    return "ready" if services.live.is_known else "starting"


async def _store(services: Services) -> Literal["ok", "unavailable"]:
    """Ask the store, but not for long: whoever probes has a limit of its own."""
    try:
        async with asyncio.timeout(ASKED_S):
            await services.store.check()
    except (StoreUnavailableError, TimeoutError):
        return "unavailable"
    return "ok"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: ServicesOf) -> Response:
    """Return every metric in Prometheus' text format."""
    return Response(await services.scrape(), media_type=services.metrics.content_type)
