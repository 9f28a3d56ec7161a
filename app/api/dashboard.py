"""`GET /monitoring/dashboard`: how every side does, what is served, what steers it, and what was raised."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.alerts.model import Did, Handled, Severity, Status
from app.api.boards import figures_in, seen_in, sql_asked
from app.api.params import NO_NUL, Reader, ServicesOf
from app.measures.board import GRAINS, Board, Range, Sums
from app.measures.differences import Difference, differences
from app.measures.figures import Figures
from app.refresh import State
from app.stores.alerts import KeptAlert, WantedAlerts
from app.wiring import Services
from flags.bucketing import BUCKETS
from flags.effective import effective
from flags.model import Flag
from flags.percentage import growing_variant, weight_of_variant
from rollouts.model import Rollout, RolloutState
from routers.breaker import State as BreakerState

router = APIRouter(tags=["monitoring"])

MOST_ALERTS = 20
"""Alerts that are shown, the newest first; `GET /alerts/webhook` lists the others."""


class Point(BaseModel):
    """A point of a chart: what came of the calls from `at` until the next one; milliseconds are null without calls."""

    at: datetime
    calls: int
    errors: int
    p95: float | None
    mean: float | None


class Side(BaseModel):
    """What came of the calls that the flag decided for one side, whoever answered them."""

    side: str
    figures: Figures
    series: list[Point]


class Against(BaseModel):
    """A side compared with the control, figure by figure: `one` is the side's, `other` the control's."""

    side: str
    control: str
    figures: list[Difference]


class Served(BaseModel):
    """What share of everyone gets a variant; targets, rules and prerequisites come before it."""

    variant: str
    percentage: float


class BreakerNow(BaseModel):
    """A breaker's state now, and how often it opened within the range."""

    backend: str
    state: BreakerState
    opened: int


class RouteNow(BaseModel):
    """A route: `exists` is false for one that is gone and that was still called within the range.

    `new` is the growing variant, `control` the one it is compared with; null where no flag says so.
    """

    route: str
    exists: bool
    flag: str | None
    killed: bool
    new: str | None
    control: str | None
    served: list[Served]
    sides: list[Side]
    differences: list[Against]
    breakers: list[BreakerNow]


class RolloutNow(BaseModel):
    """A rollout that is active, or ended within the range; `percentage` is that of the step it is at or ended at."""

    id: str
    plan: str
    route: str
    flag: str
    state: RolloutState
    step: int
    steps: int
    percentage: float
    why: str
    state_since: datetime
    started_at: datetime | None
    ended_at: datetime | None


class AlertNow(BaseModel):
    """An alert that came within the range, `times` times, last at `last_at`; `did` is what became of it."""

    id: int
    at: datetime
    last_at: datetime
    times: int
    type: str
    severity: Severity
    status: Status
    route: str | None
    told: str
    did: Did


class Dashboard(BaseModel):
    """How it goes since a time, in all processes; a point of a series is `point_s` seconds long."""

    range: Range
    since: datetime
    until: datetime
    point_s: int
    routes: list[RouteNow]
    rollouts: list[RolloutNow]
    alerts: list[AlertNow]


@router.get("/monitoring/dashboard")
async def dashboard(
    services: ServicesOf,
    _: Reader,
    within: Annotated[Range, Query(alias="range", description="How far back.")] = Range.DAY,
    route: Annotated[str | None, Query(pattern=NO_NUL, max_length=64, description="This route only.")] = None,
) -> Dashboard:
    """Show how the sides of every route do, with intervals, what they are compared with, and what steers them.

    503 while SQL is away: breakers, flags and metrics are shown elsewhere without it.
    """
    board, since = await seen_in(services, route, within)
    state = services.live.state
    names = {*state.routes, *board} if route is None else {route}
    began = datetime.fromtimestamp(since, UTC)
    breakers = {name: [*_breakers(services, name, board.get(name, {}))] for name in names & state.routes.keys()}
    with sql_asked():
        raised = await services.aftermath.alerts(WantedAlerts(route=route, since=began), None, MOST_ALERTS)
    now = services.clock.now()
    at = now.timestamp()
    return Dashboard(
        range=within,
        since=began,
        until=now,
        point_s=GRAINS[within].point,
        # beside the loop: what a month comes to takes longer to tell than a call may wait
        routes=await asyncio.to_thread(lambda: [_route(state, name, board, breakers, at) for name in sorted(names)]),
        rollouts=[
            _rollout(each)
            for each in sorted(state.rollouts.values(), key=lambda each: each.state_since, reverse=True)
            if route in {None, each.plan.route} and _is_shown(each, began)
        ],
        alerts=[_alert(each) for each in raised],
    )


def _route(state: State, name: str, board: Board, breakers: Mapping[str, list[BreakerNow]], now: float) -> RouteNow:
    killed = state.ruleset.killed
    document, sums = state.routes.get(name), board.get(name, {})
    written = None if document is None else state.ruleset.document(document.flag)
    flag = None if written is None else effective(written, now)
    [shown] = figures_in({name: sums})
    sides = {each.side: each.figures for each in shown.sides}
    new, control = (None, None) if flag is None else (growing_variant(flag), flag.off_variant)
    return RouteNow(
        route=name,
        exists=document is not None,
        flag=document and document.flag,
        killed=document is not None and (killed.reaches_route(name) or state.ruleset.is_killed(document.flag)),
        new=new,
        control=control,
        served=[] if flag is None else _served(flag),
        sides=[Side(side=side, figures=figures, series=[*_series(sums[side])]) for side, figures in sides.items()],
        differences=[*_against(sides, control)],
        breakers=breakers.get(name, []),
    )


def _served(flag: Flag) -> list[Served]:
    """Say what everyone gets whom nothing else decides for: of a disabled flag the off variant."""
    weights = {name: weight_of_variant(flag, name) for name in flag.variants}
    if not flag.enabled:
        weights = {name: BUCKETS * (name == flag.off_variant) for name in flag.variants}
    return [Served(variant=name, percentage=weight * 100 / BUCKETS) for name, weight in weights.items()]


def _series(sums: Sums) -> Iterator[Point]:
    for at, counts in sorted(sums.points.items()):
        yield Point(
            at=datetime.fromtimestamp(at, UTC),
            calls=counts.calls,
            errors=counts.errors,
            p95=counts.latency.ranked().quantile(0.95),
            mean=counts.latency.mean,
        )


def _against(sides: Mapping[str, Figures], control: str | None) -> Iterator[Against]:
    if control is None or control not in sides:
        return
    for side, figures in sides.items():
        if side != control:
            yield Against(side=side, control=control, figures=[*differences(figures, sides[control])])


def _breakers(services: Services, route: str, sums: Mapping[str, Sums]) -> Iterator[BreakerNow]:
    now = services.clock.monotonic()
    for backend, lane in services.lanes.of(route).items():
        opened = sums[backend].total.opened if backend in sums else 0
        yield BreakerNow(backend=backend, state=lane.breaker.status(now).state, opened=opened)


def _is_shown(rollout: Rollout, since: datetime) -> bool:
    return rollout.is_active or (rollout.ended_at is not None and rollout.ended_at >= since)


def _rollout(rollout: Rollout) -> RolloutNow:
    return RolloutNow(
        id=rollout.id,
        plan=rollout.plan.name,
        route=rollout.plan.route,
        flag=rollout.plan.flag,
        state=rollout.state,
        step=rollout.step,
        steps=len(rollout.plan.steps),
        percentage=rollout.current.percentage,
        why=rollout.why,
        state_since=rollout.state_since,
        started_at=rollout.started_at,
        ended_at=rollout.ended_at,
    )


def _alert(kept: KeptAlert) -> AlertNow:
    handled = Handled.model_validate_json(kept.body)
    told = {"id": kept.seq, "at": kept.at, "last_at": kept.last_at, "times": kept.times, "told": handled.alert.told}
    return AlertNow(
        **told, **handled.alert.model_dump(include={"type", "severity", "status", "route"}), did=handled.did
    )
