"""OpenFeature's evaluation context as the attributes that flags are decided by."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import NoneType
from typing import Any

from openfeature.evaluation_context import EvaluationContext

from .flags.context import TARGETING_KEY, Context

_PLAIN = frozenset({str, int, float, bool, NoneType})
"""Types that are JSON as they are."""

_are_plain = _PLAIN.issuperset


def context_of(given: EvaluationContext | None) -> Context:
    """Return the attributes, the targeting key among them; times become RFC 3339 text, one without a zone is in UTC.

    What cannot be JSON counts as not given.
    """
    if given is None:
        return {}
    key = given.targeting_key
    context: Context = {**given.attributes} if key is None else {**given.attributes, TARGETING_KEY: key}
    return context if _are_plain(map(type, context.values())) else _as_json(context)


def _as_json(value: Any) -> Any:
    match value:
        case datetime():
            zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
            return zoned.isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Mapping():
            return {str(name): _as_json(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_as_json(each) for each in value]
        case _:
            return value if type(value) in _PLAIN else _as_plain(value)


def _as_plain(value: object) -> str | int | float | None:
    """Return the string or number itself of one that is an enumeration's member too: operators know exact types."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else None
