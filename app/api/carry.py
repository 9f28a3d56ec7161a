"""`ANY /route/{route}[/…]`: carry a call to the backend its caller belongs to. Plain ASGI."""

from collections.abc import Mapping
from typing import Any

import orjson
import structlog

from app.api.asgi import Receive, Scope, Send, read_body, read_body_in_time
from app.api.forwarding import forwarded_headers
from app.api.leaving import UnlessLeft
from app.api.params import PRINCIPAL, admitted, check_scopes
from app.api.peers import source_in
from app.api.relay import pass_on, pass_whole
from app.auth import Role
from app.errors import Code, ProblemError
from app.traffic import Choice
from app.wiring import Services
from flags.context import TARGETING_KEY, Context
from routers.attempts import Dispatched, failure_status, retry_after_s
from routers.call import Call, Headers
from routers.hops import UnsafeCallError, safe_path
from routers.lanes import Lane
from routers.model import Auth, Route

log = structlog.get_logger("crossfade.route")

_UNREAD = object()
_FAILURE = {502: Code.ROUTE_FAILED, 503: Code.ROUTE_UNAVAILABLE, 504: Code.ROUTE_TIMEOUT}

OPERATION = {
    "tags": ["routes"],
    "summary": "Carry a call to the backend its caller belongs to",
    "description": "Every method and sub-path passes. The answer is the backend's own, with `X-Crossfade-Backend`, "
    "`-Variant`, `-Reason`, `-Flag-Version`, `-Decision-Id`, and `-Fallback` when another backend than the decided "
    "one answered.",
    "responses": {
        "default": {"description": "The backend's answer."},
        "429": {"description": "Too many calls without a token from this source: `rate_limited`."},
        "502": {"description": "No backend answered: `route_failed`, with the attempts."},
        "503": {"description": "No backend could be asked: `route_unavailable`, with the attempts."},
        "504": {"description": "No backend answered in time: `route_timeout`, with the attempts."},
    },
}


async def carry(services: Services, scope: Scope, receive: Receive, send: Send, name: str, path: str) -> int:
    """Carry one call and return the status of its answer; `path` is what follows the route's name, undecoded."""
    state, route = services.live.state, _admitting(services, scope, name)
    if scope[PRINCIPAL] is None:
        _check_quota(services, scope)
    body = await _body(services, route, receive)
    if services.live.state is not state:
        # the route may have changed while the body came
        route = _admitting(services, scope, name)
    lanes = services.lanes.of(name)
    call = _call(services, scope, path, body)
    began = 0.0 if route.record is None else services.clock.monotonic()
    choice = services.traffic.choose(route, _context(route, scope["headers"], body))
    try:
        with UnlessLeft(receive):
            carried = await services.traffic.carry(route, choice.plan, call)
    except UnsafeCallError as error:
        raise _unsafe(error) from error
    decision_id = services.traffic.named(name, choice, carried.backend or "")
    marks = _marks(choice, carried, decision_id)
    if carried.answer is None:
        failure = _failure(route, carried, lanes, services.clock.monotonic(), marks)
        if route.record is not None:
            services.outcomes.recorder.record(route, decision_id, carried, failure.status, began, is_whole=False)
        raise failure
    is_whole = True
    if carried.answer.rest is None:
        await pass_whole(send, carried.answer, marks)
    else:
        bound = log.bind(route=name, backend=carried.backend, decision_id=decision_id)
        is_whole = await pass_on(receive, send, carried.answer, carried.answer.rest, marks, bound)
    if route.record is not None:
        services.outcomes.recorder.record(route, decision_id, carried, carried.answer.status, began, is_whole=is_whole)
    return carried.answer.status


def _admitting(services: Services, scope: Scope, name: str) -> Route:
    """Return the route if there is one and its caller may use it. Raises ProblemError 401, 403, 404."""
    route = services.live.state.routes.get(name)
    if route is None:
        raise ProblemError(404, Code.UNKNOWN_ROUTE, f'there is no route "{name}"; GET /routes lists them')
    if route.auth is Auth.TOKEN:
        check_scopes(admitted(scope[PRINCIPAL], Role.EVALUATE), route)
    return route


def _check_quota(services: Services, scope: Scope) -> None:
    """Raise ProblemError 429 when callers without a token have called too often from here."""
    wait_s = services.quotas.refusal(source_in(services, scope), services.clock.monotonic())
    if wait_s is not None:
        per_s = services.settings.open_calls_per_s
        detail = f"without a token {per_s:g} calls a second may come from one source"
        raise ProblemError(429, Code.RATE_LIMITED, detail, headers={"Retry-After": str(wait_s)})


async def _body(services: Services, route: Route, receive: Receive) -> bytes:
    settings = services.settings
    if route.auth is Auth.TOKEN:
        return await read_body(receive, settings.max_body_bytes)
    return await read_body_in_time(receive, settings.max_body_bytes, settings.body_timeout_s)


def _call(services: Services, scope: Scope, path: str, body: bytes) -> Call:
    query = scope["query_string"].decode("latin-1")
    target = f"{path}?{query}" if query else path
    headers, within_s = forwarded_headers(services, scope)
    try:
        return Call(scope["method"], safe_path(target), headers, body, within_s)
    except UnsafeCallError as error:
        raise _unsafe(error) from error


def _unsafe(error: UnsafeCallError) -> ProblemError:
    return ProblemError(400, Code.INVALID_REQUEST, str(error))


def _context(route: Route, headers: Headers, body: bytes) -> Context:
    """Read the caller's key and attributes from where the route says they are; what is missing is left out."""
    context: Context = {}
    document: Any = _UNREAD
    for name, source in {**route.attributes, TARGETING_KEY: route.key}.items():
        if source.json_path is None:
            value = _header(headers, source.header_name)
        else:
            if document is _UNREAD:
                document = _json_or_none(body)
            value = _at(document, source.json_path)
        if value is not None:
            context[name] = value
    return context


def _json_or_none(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _header(headers: Headers, wanted: bytes) -> str | None:
    for name, value in headers:
        if name == wanted:
            return _text(value)
    return None


def _at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document.get(step) if isinstance(document, dict) else None
    return document


def _text(value: bytes) -> str:
    """Read a header's value as UTF-8, so that a caller is the same here as in JSON; else as the old Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _marks(choice: Choice, carried: Dispatched, decision_id: str) -> Headers:
    """Say in headers what was decided and what came of it."""
    marks = [
        (b"x-crossfade-variant", choice.plan.decided.encode()),
        (b"x-crossfade-reason", choice.plan.reason.encode()),
        (b"x-crossfade-flag-version", str(choice.decision.version).encode()),
        (b"x-crossfade-decision-id", decision_id.encode()),
    ]
    if carried.backend is None:
        return marks
    marks.append((b"x-crossfade-backend", carried.backend.encode()))
    if carried.backend != choice.plan.decided:
        marks.append((b"x-crossfade-fallback", (carried.attempts[0].cause or "").encode()))
    return marks


def _failure(route: Route, carried: Dispatched, lanes: Mapping[str, Lane], now: float, marks: Headers) -> ProblemError:
    status = failure_status(carried.attempts)
    headers = {name.decode(): value.decode() for name, value in marks}
    if status == 503:
        headers["retry-after"] = str(retry_after_s(carried.attempts, lanes, now))
    attempts = [
        {"backend": each.backend, "cause": each.cause, "status": each.status, "ms": round(each.elapsed_ms, 1)}
        for each in carried.attempts
    ]
    told = "; ".join(f"{each.backend}: {each.cause}" for each in carried.attempts)
    detail = f'no backend of route "{route.name}" answered: {told or "its deadline was over"}'
    return ProblemError(status, _FAILURE[status], detail, headers=headers, attempts=attempts)
