"""`POST /ofrep/v1/evaluate/flags/{key}`: what one caller gets from one flag, as OFREP asks it. Plain ASGI."""

from typing import Any
from urllib.parse import unquote

from app.api.asgi import Receive, Scope, Send
from app.api.cross_origin import shared_with
from app.api.ofrep_asking import asking, context_of
from app.api.ofrep_schemas import CONTEXT_BODY, FAILURE, REFUSALS, SUCCESS, as_json
from app.auth import Principal
from app.errors import Code, ProblemError
from app.ofrep.answers import in_scope
from app.wiring import Services
from flags.evaluate import evaluate

OPERATION: dict[str, Any] = {
    "tags": ["ofrep"],
    "summary": "Evaluate one flag, as OpenFeature's Remote Evaluation Protocol asks it",
    "requestBody": CONTEXT_BODY,
    "responses": {
        "200": {"description": "What the caller gets; a disabled flag has no `value`.", **as_json(SUCCESS)},
        "400": {"description": "The body or the context will not do.", **as_json(FAILURE)},
        "404": {"description": "There is no such flag.", **as_json(FAILURE)},
        **REFUSALS,
    },
}


async def evaluate_one(services: Services, scope: Scope, receive: Receive, send: Send, key: str, _path: str) -> int:
    """Answer one evaluation and return the status; `key` is as it stands in the URL."""
    caller = asking(services, scope)
    context = await context_of(services, receive)
    if "%" in key:
        key = unquote(key)
    _check_scopes(services, caller, key)
    ruleset = services.live.state.ruleset
    if key not in ruleset.flags:
        raise ProblemError(404, Code.UNKNOWN_FLAG, f'there is no flag "{key[:128]}"')
    decision = evaluate(ruleset, key, context, services.clock.wall())
    services.seen.note(key, decision.variant)
    status, body, headers = services.ofrep.answers.of(ruleset, decision, context)
    headers = headers + shared_with(services.settings, scope)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return status


def _check_scopes(services: Services, caller: Principal, key: str) -> None:
    """Raise ProblemError 403 for a flag out of scope, whether there is one or not."""
    if caller.scopes and key not in in_scope(services.live.state, caller.scopes):
        scopes = ", ".join(sorted(caller.scopes))
        detail = f'token "{caller.name}" is scoped to {scopes}; this needs flag:{key[:128]} or a route that it decides'
        raise ProblemError(403, Code.FORBIDDEN, detail)
