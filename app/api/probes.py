"""Probes and metrics: what a cluster asks without a token."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from app.api.params import ServicesOf
from app.errors import Code, ProblemError
from app.stores.records import StoreUnavailableError

router = APIRouter(tags=["operation"])


class Alive(BaseModel):
    """The process runs."""

    status: str


class Ready(BaseModel):
    """The process can answer, from the state at this revision."""

    status: str
    epoch: str
    revision: int


@router.get("/healthz")
async def healthz() -> Alive:
    """Say that the process runs."""
    return Alive(status="alive")


@router.get("/readyz")
async def readyz(services: ServicesOf) -> Ready:
    """Say whether the process has its state and can write it."""
    try:
        await services.store.check()
    except StoreUnavailableError as error:
        raise ProblemError(503, Code.STORE_UNAVAILABLE, str(error), headers={"Retry-After": "5"}) from error
    ruleset = services.live.state.ruleset
    return Ready(status="ready", epoch=ruleset.epoch, revision=ruleset.revision)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: ServicesOf) -> Response:
    """Return every metric in Prometheus' text format."""
    return Response(services.metrics.render(), media_type=services.metrics.content_type)
