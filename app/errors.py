"""Every way a request can fail, and how it is told: RFC 9457 problem documents with a stable code."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import orjson

PROBLEM_TYPE = "application/problem+json"


LONGEST_PLACE = 12
"""How many steps into a document a problem names."""

PLAIN = {
    "extra_forbidden": "unknown field",
    "model_type": "give an object",
    "model_attributes_type": "give an object",
    "dict_type": "give an object",
    "tuple_type": "give a list",
    "list_type": "give a list",
    "set_type": "give a list",
    "frozen_set_type": "give a list",
    "timezone_aware": 'give a time with its zone like "2026-12-01T09:00:00+01:00"',
}
"""What is told in place of pydantic's own messages that speak of Python, by its types of errors."""


class Code(StrEnum):
    """The stable codes of problem documents."""

    INVALID_DOCUMENT = "invalid_document"
    INVALID_REQUEST = "invalid_request"
    INVALID_CONTEXT = "invalid_context"
    MALFORMED_JSON = "malformed_json"
    JSON_TOO_DEEP = "json_too_deep"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    TOO_MANY_HEADERS = "too_many_headers"
    UNAUTHENTICATED = "unauthenticated"
    RATE_LIMITED = "rate_limited"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    UNKNOWN_FLAG = "unknown_flag"
    UNKNOWN_ROUTE = "unknown_route"
    UNKNOWN_SEGMENT = "unknown_segment"
    UNKNOWN_BACKEND = "unknown_backend"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_KILL = "unknown_kill"
    UNKNOWN_ROLLOUT = "unknown_rollout"
    UNKNOWN_TOKEN = "unknown_token"  # noqa: S105 - a code, not a secret
    METHOD_NOT_ALLOWED = "method_not_allowed"
    ALREADY_EXISTS = "already_exists"
    IN_USE = "in_use"
    KILLED = "killed"
    ROLLOUT_CONFLICT = "rollout_conflict"
    ROLLOUT_OVER = "rollout_over"
    COOLING_DOWN = "cooling_down"
    VERSION_REQUIRED = "version_required"
    STALE_VERSION = "stale_version"
    ROUTE_FAILED = "route_failed"
    ROUTE_TIMEOUT = "route_timeout"
    ROUTE_UNAVAILABLE = "route_unavailable"
    OUTCOMES_REFUSED = "outcomes_refused"
    OUTCOMES_FULL = "outcomes_full"
    PARQUET_UNAVAILABLE = "parquet_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    STATE_UNKNOWN = "state_unknown"
    ALERT_SECRET_UNSET = "alert_secret_unset"  # noqa: S105 - a code, not a secret
    ALERT_NOT_ACTED = "alert_not_acted"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"


class ProblemError(Exception):
    """A request that cannot be answered as asked; `members` are added to the problem document."""

    def __init__(
        self,
        status: int,
        code: Code,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members

    def body(self) -> bytes:
        """Return the problem document as JSON."""
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        return orjson.dumps(document | self.members)


def invalid(code: Code, errors: Iterable[Mapping[str, Any]]) -> ProblemError:
    """Return the 422 problem for pydantic's errors: a sentence for people and a list of `field`, `message`."""
    told = _without_echoes([*errors])
    items = [{"field": (field := _field(error["loc"])), "message": _message(error, field)} for error in told]
    shown = "; ".join(f"{item['field']}: {item['message']}" if item["field"] else item["message"] for item in items[:3])
    more = f" (and {len(items) - 3} more)" if len(items) > 3 else ""
    return ProblemError(422, code, shown + more, errors=items)


def _without_echoes(errors: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Leave out that a list is too short where its items were only not taken, for faults that are told themselves."""
    places = [tuple(error["loc"]) for error in errors]
    for error, place in zip(errors, places, strict=True):
        is_echo = error["type"] == "too_short" and any(other[: len(place)] == place != other for other in places)
        if not is_echo:
            yield error


def _field(location: Iterable[str | int]) -> str:
    """Name a place in a document as a person would; steps led by `?` are choices of the model, not places."""
    steps = [str(step) for step in location if not (isinstance(step, str) and step.startswith("?"))]
    return ".".join(steps if len(steps) <= LONGEST_PLACE else [*steps[:LONGEST_PLACE], "…"])


def _message(error: Mapping[str, Any], field: str) -> str:
    if not field and error["type"] == "missing":
        return "send a JSON body"
    if told := PLAIN.get(error["type"]):
        return told
    return str(error["msg"]).removeprefix("Value error, ")
