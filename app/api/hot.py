"""The endpoints that are plain ASGI: one table for finding them and for their part of the OpenAPI document."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from app.api import carry, decisions
from app.api.asgi import Receive, Scope, Send
from app.wiring import Services

Handler = Callable[[Services, Scope, Receive, Send], Awaitable[int]]
ANY_METHOD = ("get", "post", "put", "patch", "delete", "head", "options")


class HotEndpoint(NamedTuple):
    """One plain ASGI endpoint as the OpenAPI document shows it."""

    template: str
    methods: tuple[str, ...]
    operation: Mapping[str, Any]


CARRY = HotEndpoint("/route/{route}", ANY_METHOD, carry.OPERATION)
CARRY_BELOW = HotEndpoint("/route/{route}/{path}", ANY_METHOD, carry.OPERATION)
DECISION = HotEndpoint("/routes/{name}/decision", ("post",), decisions.OPERATION)
TABLE = (CARRY, CARRY_BELOW, DECISION)


def find(method: str, path: bytes) -> tuple[HotEndpoint, Handler] | None:
    """Return the hot endpoint of an undecoded path below the service's root, None when it has none."""
    parts = path.split(b"/", 3)
    match parts:
        case [b"", b"route", name]:
            return CARRY, _carrier(name.decode("latin-1"), "")
        case [b"", b"route", name, rest]:
            return CARRY, _carrier(name.decode("latin-1"), "/" + rest.decode("latin-1"))
        case [b"", b"routes", name, b"decision"] if method == "POST":
            return DECISION, _decider(name.decode("latin-1"))
        case _:
            return None


def find_alias(services: Services, path: bytes) -> tuple[HotEndpoint, Handler] | None:
    """Return the endpoint of a path that a route has as an alias, or that lies below one."""
    aliases = services.live.state.aliases
    if not aliases:
        return None
    prefix = path.decode("latin-1")
    while prefix:
        if prefix in aliases:
            return CARRY, _carrier(aliases[prefix], path[len(prefix) :].decode("latin-1"))
        prefix = prefix.rpartition("/")[0]
    return None


def _carrier(name: str, path: str) -> Handler:
    return lambda services, scope, receive, send: carry.carry(services, scope, receive, send, name, path)


def _decider(name: str) -> Handler:
    return lambda services, scope, receive, send: decisions.decide(services, scope, receive, send, name)
