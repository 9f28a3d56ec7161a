"""Breakers: what they see, and the three things a person can do to one."""

from enum import StrEnum
from typing import Literal

import structlog
from fastapi import APIRouter
from pydantic import BaseModel

from app.api.params import Killer, Reader, Reasoned, ServicesOf, by
from app.errors import Code, ProblemError
from app.stores.records import Action
from app.wiring import Services
from routers.breaker import State
from routers.lanes import Lane
from routers.shared_breaker import SharedBreaker

log = structlog.get_logger("crossfade.breaker")

router = APIRouter(tags=["breakers"])

Command = Literal["open", "close", "reset"]


class Scope(StrEnum):
    """Whose breaker it is: the whole fleet's, or that of this process alone."""

    FLEET = "fleet"
    PROCESS = "process"


class BreakerView(BaseModel):
    """One breaker; rates and `share` (of calls admitted) are 0 to 1, counts are those of its window.

    All but `in_flight` is the fleet's if `scope` says so. In the answer to a command `process` says that the fleet
    could not be told yet.
    """

    route: str
    backend: str
    scope: Scope
    state: State
    calls: int
    failures: int
    slow_calls: int
    failure_rate: float
    slow_call_rate: float
    retry_after_s: float | None
    openings: int
    share: float
    in_flight: int


class Breakers(BaseModel):
    """Every breaker by route and backend; `all_closed` says whether any needs attention."""

    all_closed: bool
    items: list[BreakerView]


@router.get("/breakers")
async def list_breakers(services: ServicesOf, _: Reader) -> Breakers:
    """List every breaker; in a fleet whose Redis answers, as the whole fleet has it."""
    return _all(services)


@router.get("/monitoring/circuit-breaker")
async def circuit_breaker(services: ServicesOf, _: Reader) -> Breakers:
    """List every breaker: the same as /breakers."""
    return _all(services)


@router.post("/breakers/{route}/{backend}/{command}")
async def command_breaker(
    services: ServicesOf, principal: Killer, route: str, backend: str, command: Command, body: Reasoned | None = None
) -> BreakerView:
    """Hold a breaker open or closed until further notice, or reset it to closed with nothing remembered.

    In a fleet this acts in every process. Without Redis it acts in this one, and in the others when Redis is back.
    """
    lane = _lane(services, route, backend)
    now = services.clock.monotonic()
    {"open": lane.breaker.force_open, "close": lane.breaker.force_closed, "reset": lane.breaker.reset}[command](now)
    if services.breaker_sync is not None and isinstance(lane.breaker, SharedBreaker):
        await services.breaker_sync.exchange([lane.breaker])
    action = Action(f"breaker_{command}")
    try:
        await services.changes.note(action, "breaker", f"{route}/{backend}", by(principal, body.reason if body else ""))
    except ProblemError as problem:
        log.warning("breaker moved, but not in the audit", action=action, why=problem.detail)
    return _view(route, lane, now)


def _lane(services: Services, route: str, backend: str) -> Lane:
    document = services.live.state.routes.get(route)
    if document is None:
        raise ProblemError(404, Code.UNKNOWN_ROUTE, f'there is no route "{route}"; GET /breakers lists what there is')
    if backend not in document.backends:
        known = ", ".join(document.backends)
        raise ProblemError(404, Code.UNKNOWN_BACKEND, f'route "{route}" has no backend "{backend}", only {known}')
    return services.lanes.of(route)[backend]


def _all(services: Services) -> Breakers:
    now = services.clock.monotonic()
    items = [
        _view(route, lane, now)
        for route in sorted(services.live.state.routes)
        for lane in services.lanes.of(route).values()
    ]
    return Breakers(all_closed=all(item.state is State.CLOSED for item in items), items=items)


def _view(route: str, lane: Lane, now: float) -> BreakerView:
    status = lane.breaker.status(now)
    return BreakerView(
        route=route,
        backend=lane.backend,
        scope=Scope.FLEET if isinstance(lane.breaker, SharedBreaker) and lane.breaker.is_shared else Scope.PROCESS,
        state=status.state,
        calls=status.calls,
        failures=status.failures,
        slow_calls=status.slow_calls,
        failure_rate=status.failure_rate,
        slow_call_rate=status.slow_call_rate,
        retry_after_s=status.retry_after_s,
        openings=status.openings,
        share=status.share,
        in_flight=lane.in_flight,
    )
