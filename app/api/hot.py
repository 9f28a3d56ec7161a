"""The endpoints that are plain ASGI: one table for finding them and for their part of the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from app.api.asgi import Receive, Scope, Send
from app.api.carry import OPERATION as CARRY_OPERATION
from app.api.carry import carry
from app.api.decisions import OPERATION as DECISION_OPERATION
from app.api.decisions import decide
from app.api.outcomes import OPERATION as OUTCOMES_OPERATION
from app.api.outcomes import report
from app.wiring import Services

Handler = Callable[[Services, Scope, Receive, Send, str, str], Awaitable[int]]
"""Answers a request about the route named first; the second string is the path below it, undecoded."""

ANY_METHOD = ("get", "post", "put", "patch", "delete", "head", "options")


class HotEndpoint(NamedTuple):
    """One plain ASGI endpoint: `operation` is its part of the OpenAPI document."""

    template: str
    methods: tuple[str, ...]
    handler: Handler
    operation: Mapping[str, Any]


Found = tuple[HotEndpoint, str, str]
"""A hot endpoint with what its path names: the route, and the path below it."""


CARRY = HotEndpoint("/route/{route}", ANY_METHOD, carry, CARRY_OPERATION)
CARRY_BELOW = HotEndpoint("/route/{route}/{path}", ANY_METHOD, carry, CARRY_OPERATION)
DECISION = HotEndpoint("/routes/{name}/decision", ("post",), decide, DECISION_OPERATION)
OUTCOMES = HotEndpoint("/outcomes", ("post",), report, OUTCOMES_OPERATION)
TABLE = (CARRY, CARRY_BELOW, DECISION, OUTCOMES)


def find(method: str, path: str) -> Found | None:
    """Return the hot endpoint of an undecoded path below the service's root, None when it has none."""
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


def find_alias(aliases: Mapping[str, str], path: str) -> Found | None:
    """Return the endpoint of a path that a route has as an alias, or that lies below one."""
    prefix = path if aliases else ""
    while prefix:
        if prefix in aliases:
            return CARRY, aliases[prefix], path[len(prefix) :]
        prefix = prefix.rpartition("/")[0]
    return None
