"""`POST /outcomes`: what came of decisions, in batches. Plain ASGI."""

import asyncio
import math
from collections import Counter
from typing import Any

import orjson

from app.api.asgi import JSON_HEADERS, Receive, Scope, Send, parsed, read_body, respond
from app.api.params import PRINCIPAL, admitted, may_use
from app.auth import Principal, Role
from app.errors import Code, ProblemError
from app.outcomes.attribution import Attributed, MayReport
from app.outcomes.model import MOST, Outcome, Refusal, RefusedError
from app.outcomes.pipeline import FullError
from app.wiring import Services
from routers.model import Route

AT_ONCE = 10
"""Outcomes that are read before other work gets its turn."""

OPERATION = {
    "tags": ["outcomes"],
    "summary": "Report what came of decisions",
    "description": f"1 to {MOST:,} outcomes, each of a decision by its id, or of a unit on a route. Good ones are "
    "taken though others are refused. An `id` makes repeating an outcome harmless; without one it is counted again.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["outcomes"],
                    "additionalProperties": False,
                    "properties": {
                        "outcomes": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST,
                            "items": {"$ref": "#/components/schemas/Outcome"},
                        }
                    },
                }
            }
        },
    },
    "responses": {
        "202": {
            "description": "Taken: they are written within the flush interval.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["accepted", "refused"],
                        "properties": {
                            "accepted": {"type": "integer"},
                            "refused": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "required": ["index", "code", "detail"],
                                    "properties": {
                                        "index": {"type": "integer"},
                                        "code": {"type": "string", "enum": [each.value for each in Refusal]},
                                        "detail": {"type": "string"},
                                    },
                                },
                            },
                        },
                    }
                }
            },
        },
        "429": {"description": "There is no room: `outcomes_full`. Nothing was taken; repeat it after `Retry-After`."},
    },
}

_SCHEMA = Outcome.model_json_schema(ref_template="#/components/schemas/{model}")
_OF_SOMETHING = {"anyOf": [{"required": ["decision_id"]}, {"required": ["route", "unit"]}]}

SCHEMAS: dict[str, Any] = {**_SCHEMA.pop("$defs", {}), "Outcome": {**_SCHEMA, **_OF_SOMETHING}}
"""The parts of the OpenAPI document that the operation points to."""


async def report(services: Services, scope: Scope, receive: Receive, send: Send, _name: str, _path: str) -> int:
    """Take in a batch and return the status."""
    may_report = _rights(admitted(scope[PRINCIPAL], Role.EVALUATE))
    settings = services.settings
    body = await read_body(receive, settings.max_body_bytes)
    # how deep an outcome may be is seen when it is written out; to look through the whole body first takes longer
    reported = _outcomes(parsed(body, len(body)))
    attributor, received = services.outcomes.attributor, services.outcomes.attributor.now()
    taken: list[Attributed] = []
    refused: list[dict[str, Any]] = []
    for start in range(0, len(reported), AT_ONCE):
        if start:
            await asyncio.sleep(0)
        for index in range(start, min(start + AT_ONCE, len(reported))):
            try:
                taken.append(attributor.attributed(reported[index], may_report, received))
            except RefusedError as error:
                refused.append({"index": index, "code": error.code, "detail": error.detail})
    _take(services, taken, refused)
    await respond(send, 202, JSON_HEADERS, orjson.dumps({"accepted": len(taken), "refused": refused}))
    return 202


def _take(services: Services, taken: list[Attributed], refused: list[dict[str, Any]]) -> None:
    """Put the rows into the pipeline. Raises ProblemError 422 when there are none, 429 when there is no room."""
    for code, count in Counter(each["code"] for each in refused).items():
        services.metrics.count_outcomes(code, count)
    if not taken:
        detail = f"none of these outcomes can be taken; the first: {refused[0]['code']}: {refused[0]['detail']}"
        raise ProblemError(422, Code.OUTCOMES_REFUSED, detail, refused=refused)
    try:
        services.outcomes.pipeline.add([each.row for each in taken])
    except FullError:
        services.metrics.count_outcomes(Code.OUTCOMES_FULL, len(taken))
        wait = {"Retry-After": str(math.ceil(services.settings.outcome_flush_s))}
        detail = "too many outcomes wait to be written; none of these were taken"
        raise ProblemError(429, Code.OUTCOMES_FULL, detail, headers=wait) from None
    services.metrics.count_outcomes("accepted", len(taken))
    for row, place, value in taken:
        if place.side:
            services.measures.count_outcome(place, row.kind, value)


def _outcomes(body: Any) -> list[Any]:
    if type(body) is dict and len(body) == 1 and type(outcomes := body.get("outcomes")) is list:
        if 0 < len(outcomes) <= MOST:
            return outcomes
        raise ProblemError(422, Code.INVALID_REQUEST, f"outcomes: give 1 to {MOST:,} of them")
    raise ProblemError(422, Code.INVALID_REQUEST, 'send {"outcomes": [{"decision_id": "…", "kind": "like"}, …]}')


def _rights(caller: Principal) -> MayReport:
    """Return what a caller may report of; a route that is gone has no flag that a scope could name."""
    if not caller.scopes:
        return lambda _name, _route: True

    def may_report(name: str, route: Route | None) -> bool:
        return f"route:{name}" in caller.scopes if route is None else may_use(caller, route)

    return may_report
