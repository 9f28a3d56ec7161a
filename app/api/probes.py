"""Probes and metrics: what a cluster asks without a token."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api.params import ServicesOf
from app.stores.records import StoreUnavailableError
from app.wiring import Services

router = APIRouter(tags=["operation"])


class Alive(BaseModel):
    """The process runs."""

    status: str


class Ready(BaseModel):
    """The process answers, from the state at this revision, or `draining`; `store` says whether it can be read now."""

    status: str
    store: Literal["ok", "unavailable"]
    epoch: str
    revision: int


@router.get("/healthz")
async def healthz() -> Alive:
    """Say that the process runs."""
    return Alive(status="alive")


@router.get("/readyz", responses={503: {"model": Ready, "description": "It is stopping."}})
async def readyz(services: ServicesOf, response: Response) -> Ready:
    """Say that the process has its state; it goes on deciding while the store is away. 503 from SIGTERM on."""
    ruleset = services.live.state.ruleset
    is_draining = services.draining.is_set()
    response.status_code = 503 if is_draining else 200
    return Ready(
        status="draining" if is_draining else "ready",
        store=await _store(services),
        epoch=ruleset.epoch,
        revision=ruleset.revision,
    )


async def _store(services: Services) -> Literal["ok", "unavailable"]:
    try:
        await services.store.check()
    except StoreUnavailableError:
        return "unavailable"
    return "ok"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: ServicesOf) -> Response:
    """Return every metric in Prometheus' text format."""
    return Response(await services.scrape(), media_type=services.metrics.content_type)
