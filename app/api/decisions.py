"""`POST /routes/{name}/decision`: where a call would go, for callers who carry it themselves. Plain ASGI."""

from typing import Any

import orjson

from app.api.asgi import JSON_HEADERS, Receive, Scope, Send, parsed, read_body, respond
from app.api.params import PRINCIPAL, admitted, check_scopes
from app.auth import Role
from app.errors import Code, ProblemError
from app.sticky_tokens import STICKY_HEADER
from app.traffic import Choice
from app.wiring import Services
from routers.model import Route

OPERATION = {
    "tags": ["routes"],
    "summary": "Decide where a call of a route goes, without carrying it",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["context"],
                    "additionalProperties": False,
                    "properties": {"context": {"type": "object", "examples": [{"targetingKey": "user-1"}]}},
                }
            }
        },
    },
    "responses": {
        "200": {
            "description": "The decision; `fallback` says why the backend is not the decided one.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "decision_id": {"type": "string"},
                            "route": {"type": "string"},
                            "backend": {"type": "string"},
                            "url": {"type": "string"},
                            "variant": {"type": "string"},
                            "reason": {"type": "string"},
                            "flag_version": {"type": "integer"},
                            "deadline_ms": {"type": "integer"},
                            "shadow": {"type": "boolean"},
                            "fallback": {"type": ["string", "null"]},
                        },
                    }
                }
            },
        }
    },
}

NOBODY_YET = ""
"""Who has answered: the caller carries the call himself, and may report what became of it."""


async def decide(services: Services, scope: Scope, receive: Receive, send: Send, name: str, _path: str) -> int:
    """Answer one decision and return the status."""
    caller = admitted(scope[PRINCIPAL], Role.EVALUATE)
    settings = services.settings
    context = _context(parsed(await read_body(receive, settings.max_body_bytes), settings.max_json_depth))
    route = services.live.state.routes.get(name)
    if route is None:
        raise ProblemError(404, Code.UNKNOWN_ROUTE, f'there is no route "{name}"; GET /routes lists them')
    check_scopes(caller, route)
    choice = services.traffic.choose(route, context, scope["headers"])
    backend, fallback = services.traffic.standing(choice)
    token = None if choice.stay is None else services.traffic.sticky_token(route, choice, backend)
    headers = JSON_HEADERS if token is None else [*JSON_HEADERS, (STICKY_HEADER, token)]
    await respond(send, 200, headers, orjson.dumps(_told(services, route, choice, backend, fallback)))
    return 200


def _told(services: Services, route: Route, choice: Choice, backend: str, fallback: str | None) -> dict[str, Any]:
    return {
        "decision_id": services.traffic.named(route.name, choice, NOBODY_YET),
        "route": route.name,
        "backend": backend,
        "url": route.backends[backend].url,
        "variant": choice.plan.decided,
        "reason": choice.plan.reason,
        "flag_version": choice.decision.version,
        "deadline_ms": route.deadline_ms,
        "shadow": False,
        "fallback": fallback,
    }


def _context(body: Any) -> dict[str, Any]:
    if type(body) is dict and len(body) == 1 and type(context := body.get("context")) is dict:
        return context
    raise ProblemError(422, Code.INVALID_REQUEST, 'send {"context": {"targetingKey": "…", …}} and nothing else')
