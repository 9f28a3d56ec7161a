"""What an application tracks, as the outcome that the service takes."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from openfeature.evaluation_context import EvaluationContext
from openfeature.track import TrackingEventDetails

from .contexts import context_of
from .flags.context import InvalidKeyError, unit_key

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,63}")


class NoOutcomeError(ValueError):
    """What was tracked cannot be an outcome."""


def outcome_of(
    name: str,
    context: EvaluationContext | None,
    details: TrackingEventDetails | None,
    route: str | None,
    unit: str,
) -> bytes:
    """Return the outcome as JSON: its kind is the event's name, its unit the context's attribute `unit`, its time now.

    The details' attributes `route` and `decision_id` say what it is of; all others are its metadata. Raises
    NoOutcomeError.
    """
    if not _KIND.fullmatch(name):
        raise NoOutcomeError(f"an event's name is lower-case letters, digits, _ and -, not {name!r}")
    metadata = dict(details.attributes) if details is not None and isinstance(details.attributes, Mapping) else {}
    of_what = _of_what(metadata, context, route, unit)
    metadata = context_of(EvaluationContext(attributes=metadata))
    at = datetime.now(UTC).isoformat()
    value = _value(details)
    outcome = {"id": uuid4().hex, "kind": name, "at": at, "value": value, "metadata": metadata, **of_what}
    try:
        return json.dumps(outcome, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise NoOutcomeError(f"its metadata cannot be written as JSON: {error}") from None


def _of_what(
    metadata: dict[str, Any], context: EvaluationContext | None, route: str | None, unit: str
) -> dict[str, Any]:
    decision_id, own = metadata.pop("decision_id", None), metadata.pop("route", None)
    if decision_id is not None:
        return {"decision_id": str(decision_id)}
    route = own or route
    if not route:
        raise NoOutcomeError("it is of no route: give the provider one, or the details' attribute `route`")
    try:
        key = unit_key(context_of(context), unit)
    except InvalidKeyError as error:
        raise NoOutcomeError(f"{unit}: {error}") from None
    if key is None:
        raise NoOutcomeError(f"the context has no {unit}")
    return {"route": str(route), "unit": key}


def _value(details: TrackingEventDetails | None) -> float | None:
    if details is None or details.value is None:
        return None
    value = float(details.value)
    if not math.isfinite(value):
        raise NoOutcomeError(f"a value is a number, not {value}")
    return value
