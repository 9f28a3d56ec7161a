"""The endpoints that are plain ASGI: one table for finding them and for their part of the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from app.api.asgi import Receive, Scope, Send
from app.api.carry import OPERATION as CARRY_OPERATION
from app.api.carry import carry
from app.api.cross_origin import answer_preflight
from app.api.decisions import OPERATION as DECISION_OPERATION
from app.api.decisions import decide
from app.api.ofrep import OPERATION as OFREP_ONE_OPERATION
from app.api.ofrep import evaluate_one
from app.api.ofrep_asking import BELOW, ONE_FLAG, elsewhere
from app.api.ofrep_bulk import OPERATION as OFREP_ALL_OPERATION
from app.api.ofrep_bulk import evaluate_all
from app.api.ofrep_events import OPERATION as OFREP_EVENTS_OPERATION
from app.api.ofrep_events import listen
from app.api.outcomes import OPERATION as OUTCOMES_OPERATION
from app.api.outcomes import report
from app.wiring import Services

Handler = Callable[[Services, Scope, Receive, Send, str, str], Awaitable[int]]
"""Answers a request about the route named first; the second string is the path below it, undecoded."""

ANY_METHOD = ("get", "post", "put", "patch", "delete", "head", "options")


class HotEndpoint(NamedTuple):
    """One plain ASGI endpoint: `operation` is its part of the OpenAPI document.

    `lasts` is true of one whose answers last for hours, by design and at next to no cost.
    """

    template: str
    methods: tuple[str, ...]
    handler: Handler
    operation: Mapping[str, Any]
    lasts: bool = False


async def _preflight(services: Services, scope: Scope, _receive: Receive, send: Send, _name: str, _path: str) -> int:
    return await answer_preflight(services.settings, scope, send)


Found = tuple[HotEndpoint, str, str]
"""A hot endpoint with what its path names: the route, and the path below it."""


CARRY = HotEndpoint("/route/{route}", ANY_METHOD, carry, CARRY_OPERATION)
CARRY_BELOW = HotEndpoint("/route/{route}/{path}", ANY_METHOD, carry, CARRY_OPERATION)
DECISION = HotEndpoint("/routes/{name}/decision", ("post",), decide, DECISION_OPERATION)
OUTCOMES = HotEndpoint("/outcomes", ("post",), report, OUTCOMES_OPERATION)
OFREP_ONE = HotEndpoint("/ofrep/v1/evaluate/flags/{key}", ("post",), evaluate_one, OFREP_ONE_OPERATION)
OFREP_ALL = HotEndpoint("/ofrep/v1/evaluate/flags", ("post",), evaluate_all, OFREP_ALL_OPERATION)
OFREP_EVENTS = HotEndpoint("/ofrep/v1/events", ("get",), listen, OFREP_EVENTS_OPERATION, lasts=True)
TABLE = (CARRY, CARRY_BELOW, DECISION, OUTCOMES, OFREP_ONE, OFREP_ALL, OFREP_EVENTS)

OFREP_PREFLIGHT = HotEndpoint("/ofrep", (), _preflight, {})
OFREP_ELSEWHERE = HotEndpoint("/ofrep", (), elsewhere, {})

_BELOW_ENDS, _KEY_BEGINS = len(BELOW), len(ONE_FLAG)


def find(method: str, path: str) -> Found | None:
    """Return the hot endpoint of an undecoded path below the service's root, None when it has none."""
    if path.startswith(BELOW) and path[_BELOW_ENDS : _BELOW_ENDS + 1] in {"", "/"}:
        return _find_ofrep(method, path)
    parts = path.split("/", 3)
    if len(parts) == 4:
        _, first, name, rest = parts
        if first == "route":
            return CARRY_BELOW, name, "/" + rest
        if rest == "decision" and first == "routes" and method == "POST":
            return DECISION, name, ""
    elif len(parts) == 3 and parts[1] == "route":
        return CARRY, parts[2], ""
    elif path == "/outcomes" and method == "POST":
        return OUTCOMES, "", ""
    return None


def _find_ofrep(method: str, path: str) -> Found:
    """Return what answers below `/ofrep`, whatever the path: only its own endpoints speak its language."""
    if method == "POST" and path.startswith(ONE_FLAG):
        return OFREP_ONE, path[_KEY_BEGINS:], ""
    if method == "OPTIONS":
        return OFREP_PREFLIGHT, "", ""
    if method == "POST" and path == OFREP_ALL.template:
        return OFREP_ALL, "", ""
    if method == "GET" and path == OFREP_EVENTS.template:
        return OFREP_EVENTS, "", ""
    return OFREP_ELSEWHERE, "", ""


def find_alias(aliases: Mapping[str, str], path: str) -> Found | None:
    """Return the endpoint of a path that a route has as an alias, or that lies below one."""
    prefix = path if aliases else ""
    while prefix:
        if prefix in aliases:
            return CARRY, aliases[prefix], path[len(prefix) :]
        prefix = prefix.rpartition("/")[0]
    return None
