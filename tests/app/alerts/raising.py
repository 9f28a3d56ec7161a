"""Alerts as others send them, and a service that gets them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.changes import By, Wanted
from app.stores.records import Collection
from rollouts.model import Rollout, RolloutState
from rollouts.plan import Plan
from tests.inprocess import ALERTING, Service

CRITICAL = {"type": "error_rate", "severity": "critical", "value": 0.5, "threshold": 0.1}
WEBHOOK = "/api/alerts/webhook"
PLAN = {
    "name": "rag-v2",
    "flag": "rag-v2",
    "route": "rag",
    "steps": [{"percentage": 10}, {"percentage": 100}],
    "gates": {"errors": {"metric": "error_rate", "relative_max": 1.2}},
    "guardrails": ["errors"],
}


def firing(severity: str | None = "critical", **fields: Any) -> dict[str, Any]:
    """Return one alert as an Alertmanager has it; further labels by `labels`."""
    labels = {"alertname": "PersonaErrors", **({} if severity is None else {"severity": severity})}
    alert = {
        "status": "firing",
        "labels": labels | fields.pop("labels", {}),
        "annotations": {"summary": "2.5 % of the calls fail."},
        "startsAt": "2027-01-15T07:58:45.828739266+02:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=x",
        "fingerprint": "1a30ba71cca2921f",
    }
    return alert | fields


def group(*alerts: dict[str, Any]) -> dict[str, Any]:
    """Return the body that an Alertmanager sends of alerts."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="PersonaErrors"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "crossfade",
        "groupLabels": {"alertname": "PersonaErrors"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": [*alerts],
    }


@asynccontextmanager
async def raised_with(service: Service, secret: str = ALERTING) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that shows the alert secret, or another."""
    async with service.token(secret) as client:
        yield client


async def raised(service: Service, body: Any, query: str = "?route=rag") -> httpx.Response:
    """Send a body as an Alertmanager would, which knows the secret only."""
    async with raised_with(service) as client:
        return await client.post(WEBHOOK + query, json=body)


async def listed(service: Service, query: str = "") -> list[dict[str, Any]]:
    """Return the alerts that are kept."""
    items: list[dict[str, Any]] = (await service.ok("GET", f"/alerts/webhook{query}"))["items"]
    return items


async def killed(service: Service) -> list[str]:
    """Return the scopes that are killed."""
    return [each["scope"] for each in (await service.ok("GET", "/kill-switch"))["kills"]]


async def with_rollout(service: Service, **plan: Any) -> None:
    """Make the flag and the route, at 10 %, and a rollout of them that runs."""
    await service.with_rag(10)
    now = service.services.clock.now()
    rollout = Rollout(
        id="rag-v2-1",
        plan=Plan.model_validate(PLAN | plan),
        state=RolloutState.RUNNING,
        state_since=now,
        created_at=now,
        variant="new",
        control="legacy",
    )
    await service.services.changes.make([Wanted(Collection.ROLLOUT, rollout.id, rollout, 0)], By("test", "test"))
