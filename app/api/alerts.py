"""Alerts that others raise: taken in, acted on when they are critical, and listed."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from pydantic import AwareDatetime, BaseModel

from app.alerts.desk import Taken
from app.alerts.model import AlertBody, AlertSeverity, Did, Handled, OwnAlert, Severity, Status, alerts_of
from app.api.params import Alerter, Before, Limit, Page, Reader, ServicesOf
from app.errors import Code, ProblemError
from app.moments import InUtc
from app.stores.alerts import KeptAlert, WantedAlerts
from routers.model import Name, Route

router = APIRouter(prefix="/alerts", tags=["alerts"])

NOT_KEPT = "the database does not answer: what was to be done is done, and the alerts are kept when it is back"


class AlertTaken(BaseModel):
    """What became of one alert; `note` says why nothing was done, or not more."""

    type: str
    severity: Severity
    status: Status
    route: str | None
    fingerprint: str
    did: Did
    note: str


class AlertsTaken(BaseModel):
    """What became of the alerts of a body, the worst first; `note` says why they are not kept yet."""

    alerts: list[AlertTaken]
    kept: bool
    note: str


class AlertShown(BaseModel):
    """An alert that is kept: it came `times` times, first `at` and last `last_at`; `by` is who brought it."""

    id: int
    at: AwareDatetime
    last_at: AwareDatetime
    times: int
    type: str
    severity: Severity
    status: Status
    route: str | None
    value: float | None
    threshold: float | None
    summary: str
    fingerprint: str
    started_at: str
    labels: dict[str, str]
    did: Did
    note: str
    by: str


@router.post("/webhook", responses={202: {"description": "Acted on; they are kept when the database is back."}})
async def take_alerts(
    services: ServicesOf,
    principal: Alerter,
    body: Annotated[AlertBody, Body()],
    response: Response,
    route: Annotated[Name | None, Query(description="The route of alerts that name none.")] = None,
) -> AlertsTaken:
    """Take in an alert, or what an Alertmanager sends; a critical one sends everyone of its route back.

    An active rollout of the route is rolled back; without one the route's flag is killed.
    """
    _known(services.live.state.routes, route)
    if isinstance(body, OwnAlert):
        _known(services.live.state.routes, body.route)
    taken = await services.alerts.take(alerts_of(body, route), principal.name)
    _refuse_if_failed(taken)
    response.status_code = 200 if taken.is_kept else 202
    note = "" if taken.is_kept else NOT_KEPT
    return AlertsTaken(alerts=[_taken(each) for each in taken.handled], kept=taken.is_kept, note=note)


@router.get("/webhook")
async def list_alerts(
    services: ServicesOf,
    _: Reader,
    limit: Limit = 50,
    before: Before = None,
    severity: Annotated[AlertSeverity | None, Query(description="Only this severity.")] = None,
    route: Annotated[Name | None, Query(description="Only of this route.")] = None,
    since: Annotated[InUtc | None, Query(description="Only those that came since, a time with a zone.")] = None,
) -> Page[AlertShown]:
    """List the alerts of the last 30 days, newest first."""
    found = await services.alerts.store.alerts(WantedAlerts(severity, route, since), before, limit + 1)
    shown = found[:limit]
    return Page(items=[_shown(each) for each in shown], next=shown[-1].seq if len(found) > limit else None)


def _known(routes: Mapping[str, Route], name: str | None) -> None:
    if name is not None and name not in routes:
        raise ProblemError(404, Code.UNKNOWN_ROUTE, f'there is no route "{name}"; GET /routes lists them')


def _refuse_if_failed(taken: Taken) -> None:
    failed = [each for each in taken.handled if each.did is Did.FAILED]
    if failed:
        told = "; ".join(f"route {each.alert.route}: {each.note}" for each in failed[:3])
        raise ProblemError(
            503, Code.ALERT_NOT_ACTED, f"not acted on, send it again: {told}", headers={"Retry-After": "5"}
        )


def _taken(handled: Handled) -> AlertTaken:
    alert = handled.alert
    return AlertTaken(
        **alert.model_dump(include={"type", "severity", "status", "route", "fingerprint"}),
        did=handled.did,
        note=handled.note,
    )


def _shown(kept: KeptAlert) -> AlertShown:
    handled = Handled.model_validate_json(kept.body)
    times = {"id": kept.seq, "at": kept.at, "last_at": kept.last_at, "times": kept.times}
    return AlertShown(**times, **handled.alert.model_dump(), did=handled.did, note=handled.note, by=handled.by)
