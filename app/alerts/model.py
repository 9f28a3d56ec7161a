"""An alert, whoever raised it: as a body of our own, or as one of those that an Alertmanager sends."""

import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, JsonValue, StringConstraints, Tag

from routers.model import Name

LONGEST = 500
"""Characters that are kept of a name, a summary or a label's value."""

MOST_LABELS = 64
LONGEST_FINGERPRINT = 128


class Severity(StrEnum):
    """How bad it is; only `critical` is acted on."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Status(StrEnum):
    """Whether what the alert is about goes on."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Did(StrEnum):
    """What became of an alert."""

    NOTHING = "nothing"
    KILLED = "killed"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


SAID_AS: Mapping[str, Severity] = {
    **{each.value: each for each in Severity},
    "none": Severity.INFO,
    "information": Severity.INFO,
    "notice": Severity.INFO,
    "warn": Severity.WARNING,
    "err": Severity.ERROR,
    "crit": Severity.CRITICAL,
    "fatal": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
}
"""What others call severities, in lower case."""


def _severity(said: object) -> object:
    return SAID_AS.get(said.strip().lower(), said) if isinstance(said, str) else said


AlertSeverity = Annotated[Severity, BeforeValidator(_severity)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class OwnAlert(BaseModel):
    """An alert in a body of our own: `value` has passed `threshold`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    severity: AlertSeverity
    value: Number | None = None
    threshold: Number | None = None
    route: Name | None = None


class AlertmanagerAlert(BaseModel):
    """One alert of an Alertmanager's body; what it has besides is its own affair."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Status = Status.FIRING
    labels: dict[str, JsonValue] = {}
    annotations: dict[str, JsonValue] | None = None
    started_at: Annotated[str, Field(alias="startsAt", max_length=64)] = ""
    fingerprint: str = ""


class AlertmanagerBody(BaseModel):
    """What an Alertmanager posts to a webhook (version 4), and Grafana too."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    alerts: list[AlertmanagerAlert]


def _form(body: Any) -> str:
    is_theirs = isinstance(body, AlertmanagerBody) or (isinstance(body, dict) and "alerts" in body)
    return "?alertmanager" if is_theirs else "?own"


AlertBody = Annotated[
    Annotated[OwnAlert, Tag("?own")] | Annotated[AlertmanagerBody, Tag("?alertmanager")], Discriminator(_form)
]
"""What `POST /alerts/webhook` takes."""


class Alert(BaseModel):
    """An alert as it is kept: `fingerprint` is the same for the same alert, `started_at` as its sender wrote it."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    type: str
    severity: Severity
    status: Status = Status.FIRING
    route: str | None = None
    value: float | None = None
    threshold: float | None = None
    summary: str = ""
    labels: dict[str, str] = {}
    started_at: str = ""

    @property
    def told(self) -> str:
        """What it says, in a line for people."""
        numbers = "" if self.value is None else f" {self.value:g}"
        numbers += "" if self.threshold is None else f", threshold {self.threshold:g}"
        return f"{self.severity} alert {self.type}{numbers}{f': {self.summary}' if self.summary else ''}"


class Handled(BaseModel):
    """An alert together with what became of it, by whom it came, and why nothing more was done."""

    model_config = ConfigDict(frozen=True)

    alert: Alert
    did: Did
    note: str = ""
    by: str = ""


def alerts_of(body: OwnAlert | AlertmanagerBody, route: str | None) -> Sequence[Alert]:
    """Return the alerts of a body, the worst first; those that name no route are about `route`."""
    if isinstance(body, OwnAlert):
        return [_own(body, route)]
    alerts = [_theirs(each, route) for each in body.alerts]
    return sorted(alerts, key=lambda each: [*Severity].index(each.severity), reverse=True)


def again(before: str, now: str) -> str:
    """Return what is kept when the same alert comes once more: as it is now, with what was done before."""
    old, new = Handled.model_validate_json(before), Handled.model_validate_json(now)
    if new.did is Did.NOTHING and old.did in {Did.KILLED, Did.ROLLED_BACK}:
        new = new.model_copy(update={"did": old.did, "note": old.note, "by": old.by})
    return new.model_dump_json()


def _own(body: OwnAlert, route: str | None) -> Alert:
    route = body.route or route
    fingerprint = _digest([body.type, body.severity, route])
    return Alert(fingerprint=fingerprint, **{**body.model_dump(), "route": route})


def _theirs(alert: AlertmanagerAlert, route: str | None) -> Alert:
    labels = {_text(name): _text(value) for name, value in [*alert.labels.items()][:MOST_LABELS]}
    annotations = alert.annotations or {}
    told = annotations.get("summary") or annotations.get("description") or ""
    return Alert(
        fingerprint=_known_by(alert),
        type=labels.get("alertname") or "unnamed",
        # one that nobody knows is no reason to refuse the others of the same body
        severity=SAID_AS.get(labels.get("severity", "").strip().lower(), Severity.WARNING),
        status=alert.status,
        route=labels.get("route") or route,
        summary=_text(told),
        labels=labels,
        started_at=_text(alert.started_at),
    )


def _known_by(alert: AlertmanagerAlert) -> str:
    own = _text(alert.fingerprint)
    return own if 0 < len(own) <= LONGEST_FINGERPRINT else _digest([own, alert.labels])


def _digest(parts: Sequence[Any]) -> str:
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _text(value: JsonValue) -> str:
    """Return a value as text that every store can keep."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text.replace("\x00", "")[:LONGEST]
