"""Routes: documents, and the health of their backends."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, JsonValue

from app.api.documents import DocumentsOf, Version
from app.api.edits import CreationOf, DeletionOf, EditOf
from app.api.params import (
    After,
    Before,
    Limit,
    Name,
    Page,
    Reader,
    ServicesOf,
    page_of,
)
from app.errors import Code, ProblemError
from app.stores.records import Collection
from app.wiring import Services
from routers.breaker import State as BreakerState
from routers.call import Call, SendError
from routers.model import Backend, Route
from routers.streams import close

router = APIRouter(tags=["routes"])

ROUTES = DocumentsOf(Collection.ROUTE, Route, "name", lambda state, name: state.routes.get(name), Code.UNKNOWN_ROUTE)

PROBE_SECONDS = 5.0
SIDES = {"v1": "legacy", "v2": "new"}


class Health(BaseModel):
    """One backend as a probe just found it, and as its breaker sees it; `probe_ms` is milliseconds."""

    route: str
    backend: str
    url: str
    healthy: bool
    status: int | None
    error: str | None
    probe_ms: float
    breaker: BreakerState
    in_flight: int
    failure_rate: float


@router.get("/routes")
async def list_routes(services: ServicesOf, _: Reader, limit: Limit = 100, after: After = None) -> Page[Route]:
    """List routes by name."""
    items, following = page_of(services.live.state.routes.items(), after, limit)
    return Page(items=items, next=following)


@router.post("/routes", status_code=201)
async def create_route(edit: CreationOf, route: Route) -> Route:
    """Create a route; its flag's variants are its backends' names."""
    return await ROUTES.create(edit, route)


@router.get("/routes/{name}")
async def get_route(services: ServicesOf, _: Reader, name: str, response: Response) -> Route:
    """Return one route; its version is the ETag."""
    return ROUTES.shown(services.live.state, name, response)


@router.put("/routes/{name}")
async def replace_route(edit: EditOf, name: str, route: Route) -> Route:
    """Replace a route by a whole document; breakers of backends that stay as they are keep their state."""
    return await ROUTES.replace(edit, name, route)


@router.patch("/routes/{name}")
async def patch_route(edit: EditOf, name: str, patch: Annotated[dict[str, JsonValue], Body()]) -> Route:
    """Replace some fields of a route, each as a whole; null brings a field's default back."""
    return await ROUTES.patch(edit, name, patch)


@router.delete("/routes/{name}", status_code=204)
async def delete_route(edit: DeletionOf, name: str) -> None:
    """Delete a route; its history stays."""
    await ROUTES.delete(edit, name)


@router.get("/routes/{name}/history")
async def route_history(
    services: ServicesOf, _: Reader, name: Name, limit: Limit = 50, before: Before = None
) -> Page[Version[Route]]:
    """List the versions of a route, newest first, deleted ones too."""
    return await ROUTES.history(services, name, before, limit)


@router.get("/routes/{name}/{backend}/health", responses={503: {"model": Health, "description": "Not healthy."}})
async def backend_health(services: ServicesOf, _: Reader, name: str, backend: str, response: Response) -> Health:
    """Ask one backend for its health now; 503 when it does not answer 2xx within 5 s."""
    return await _health(services, name, backend, response)


by_version = APIRouter(tags=["routes"])
"""Paths without a prefix of their own, matched last."""


@by_version.get("/{name}/{side}/health", responses={503: {"model": Health, "description": "Not healthy."}})
async def side_health(services: ServicesOf, _: Reader, name: str, side: str, response: Response) -> Health:
    """Ask one backend for its health now; `v1` is legacy and `v2` is new."""
    return await _health(services, name, SIDES.get(side, side), response)


async def _health(services: Services, name: str, side: str, response: Response) -> Health:
    route = ROUTES.one(services.live.state, name)
    backend = route.backends.get(side)
    if backend is None:
        known = ", ".join(route.backends)
        raise ProblemError(404, Code.UNKNOWN_BACKEND, f'route "{name}" has no backend "{side}", only {known}')
    lane = services.lanes.of(name)[side]
    started = services.clock.monotonic()
    status, error = await _probe(services, backend)
    now = services.clock.monotonic()
    healthy = status is not None and 200 <= status < 300
    response.status_code = 200 if healthy else 503
    seen = lane.breaker.status(now)
    return Health(
        route=name,
        backend=side,
        url=backend.url + backend.health,
        healthy=healthy,
        status=status,
        error=error,
        probe_ms=round((now - started) * 1000, 3),
        breaker=seen.state,
        in_flight=lane.in_flight,
        failure_rate=seen.failure_rate,
    )


async def _probe(services: Services, backend: Backend) -> tuple[int | None, str | None]:
    call = Call("GET", backend.health, [(b"accept", b"*/*")], b"")
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            answer = await services.send(backend, call)
    except SendError as failure:
        return None, f"{failure.cause}: {failure.detail}"
    except TimeoutError:
        return None, f"no answer within {PROBE_SECONDS:g} s"
    await close(answer.rest)
    return answer.status, None
