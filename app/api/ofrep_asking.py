"""What OFREP's endpoints share: who asks, about whom, and how every refusal is told on their paths."""

from typing import Any

import orjson

from app.api.asgi import (
    JSON_HEADERS,
    Message,
    Receive,
    Scope,
    Send,
    encoded,
    in_time,
    parsed,
    piece_of,
    read_body,
    respond,
    respond_problem,
    too_large,
)
from app.api.cross_origin import shared_with
from app.api.params import PRINCIPAL, admitted
from app.api.peers import source_in
from app.auth import Principal, Role
from app.errors import Code, ProblemError
from app.ofrep.answers import ErrorCode, failure
from app.wiring import Services
from flags.context import Context

BELOW = "/ofrep"
ONE_FLAG = "/ofrep/v1/evaluate/flags/"

_CODES = {
    Code.MALFORMED_JSON: ErrorCode.PARSE_ERROR,
    Code.JSON_TOO_DEEP: ErrorCode.PARSE_ERROR,
    Code.INVALID_CONTEXT: ErrorCode.INVALID_CONTEXT,
    Code.UNKNOWN_FLAG: ErrorCode.FLAG_NOT_FOUND,
}
_LONGEST_KEY = 128


def asking(services: Services, scope: Scope) -> Principal:
    """Return who asks. Raises ProblemError 401, 403, and 429 when too much was asked from there."""
    caller = caller_of(services, scope)
    if services.settings.ofrep_calls_per_s:
        wait_s = services.ofrep.quotas.refusal(source_in(services, scope), services.clock.monotonic())
        if wait_s is not None:
            detail = f"{services.settings.ofrep_calls_per_s:g} evaluations a second may be asked for from one source"
            raise ProblemError(429, Code.RATE_LIMITED, detail, headers={"Retry-After": str(wait_s)})
    return caller


def caller_of(services: Services, scope: Scope) -> Principal:
    """Return who calls, by `Authorization`, or as OFREP's clients also show a token. Raises ProblemError 401, 403."""
    principal: Principal | None = scope[PRINCIPAL]
    if principal is not None and principal.may(Role.EVALUATE):
        return principal
    if principal is None:
        key = next((value for name, value in scope["headers"] if name == b"x-api-key"), None)
        if key is not None:
            principal = services.live.state.tokens.principal(key, services.clock.wall())
    return admitted(principal, Role.EVALUATE)


async def context_of(services: Services, receive: Receive) -> Context:
    """Return whom a request is about: nobody in particular when it has no body or no context.

    Raises ProblemError 400, 408, 413, and CallerLeftError.
    """
    message = await receive()
    body = message.get("body", b"")
    if len(body) > services.ofrep.most_bytes or message.get("more_body") or message["type"] != "http.request":
        body = await _whole(services, receive, message)
    if not body:
        return {}
    document = parsed(body, services.settings.max_json_depth)
    context: Any = document.get("context") if type(document) is dict else document
    if context is None and type(document) is dict:
        return {}
    if type(context) is not dict:
        raise ProblemError(400, Code.INVALID_CONTEXT, 'send {"context": {"targetingKey": "…", …}}')
    return context


async def _whole(services: Services, receive: Receive, first: Message) -> bytes:
    """Return a body that did not come with its head: few do so, and only these are timed."""
    body, limit = piece_of(first), services.ofrep.most_bytes
    if len(body) > limit:
        raise too_large(limit)
    return await in_time(read_body(receive, limit, body), services.settings.body_timeout_s)


async def elsewhere(_services: Services, scope: Scope, _receive: Receive, _send: Send, _name: str, _path: str) -> int:
    """Refuse what OFREP has no endpoint for. Raises ProblemError 404, 405."""
    path, method = scope["path"], scope["method"]
    allowed = "GET" if path == "/ofrep/v1/events" else "POST" if path.startswith(ONE_FLAG[:-1]) else None
    if allowed is None:
        raise ProblemError(404, Code.NOT_FOUND, "POST /ofrep/v1/evaluate/flags[/KEY] is what there is")
    headers = {"Allow": f"{allowed}, OPTIONS"}
    raise ProblemError(405, Code.METHOD_NOT_ALLOWED, f"{method} does not go with this path", headers=headers)


async def refuse(services: Services, scope: Scope, send: Send, problem: ProblemError) -> None:
    """Tell why a request is not answered: below `/ofrep` in the shape that its clients read, else as a problem."""
    path: str = scope["path"]
    if path != BELOW and not path.startswith(f"{BELOW}/"):
        await respond_problem(send, problem)
        return
    key = path.removeprefix(ONE_FLAG)[:_LONGEST_KEY] if path.startswith(ONE_FLAG) else None
    code = _CODES.get(problem.code, ErrorCode.GENERAL)
    body = orjson.dumps(failure(key, code, problem.detail))
    headers = JSON_HEADERS + shared_with(services.settings, scope) + encoded(problem.headers)
    await respond(send, problem.status, headers, body)
