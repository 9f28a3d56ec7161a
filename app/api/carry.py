"""`ANY /route/{route}[/…]`: carry a call to the backend its caller belongs to. Plain ASGI."""

from typing import Any

import orjson

from app.api.answering import Exchange, answer, note_left
from app.api.asgi import CallerLeftError, Receive, Scope, Send
from app.api.bodies import body_or_upload
from app.api.forwarding import forwarded_headers
from app.api.leaving import WATCHED_AFTER_S, UnlessLeft
from app.api.params import PRINCIPAL, admitted, check_scopes
from app.api.peers import source_in
from app.api.uploads import Upload
from app.auth import Role
from app.errors import Code, ProblemError
from app.wiring import Services
from flags.context import TARGETING_KEY, Context
from routers.call import Call, Headers
from routers.hops import UnsafeCallError, safe_path
from routers.model import Auth, Route
from routers.profiles.answers import asked_plainly

_UNREAD = object()

OPERATION = {
    "tags": ["routes"],
    "summary": "Carry a call to the backend its caller belongs to",
    "description": "Every method and sub-path passes. The answer is the backend's own, with `X-Crossfade-Backend`, "
    "`-Variant`, `-Reason`, `-Flag-Version`, `-Decision-Id`, and `-Fallback` when another backend than the decided "
    "one answered.",
    "responses": {
        "default": {"description": "The backend's answer, or a problem of Crossfade's own."},
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
    body, upload = await body_or_upload(services, route, scope["headers"], receive)
    if upload is not None:
        receive = upload.receive
    if services.live.state is not state:
        # the route may have changed while the body came
        route = _admitting(services, scope, name)
    call = _call(services, scope, path, body, upload)
    if route.adds_metadata:
        call = asked_plainly(call)
    context = _context(route, scope["headers"], body)
    choice, began = services.traffic.choose(route, context, scope["headers"]), services.clock.monotonic()
    try:
        with UnlessLeft(receive, WATCHED_AFTER_S if upload is None else 0.0):
            given = await services.cached.carry(route, choice, context, call)
    except UnsafeCallError as error:
        raise _unsafe(error) from error
    except CallerLeftError:
        note_left(services, route, choice, began)
        raise
    decision_id = services.traffic.named(name, choice, given.carried.backend or "")
    return await answer(services, Exchange(route, call, choice, given, decision_id, began), receive, send)


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


def _call(services: Services, scope: Scope, path: str, body: bytes, upload: Upload | None) -> Call:
    query = scope["query_string"].decode("latin-1")
    target = f"{path}?{query}" if query else path
    headers, within_s = forwarded_headers(services, scope)
    try:
        return Call(scope["method"], safe_path(target), headers, body, within_s, upload)
    except UnsafeCallError as error:
        raise _unsafe(error) from error


def _unsafe(error: UnsafeCallError) -> ProblemError:
    return ProblemError(400, Code.INVALID_REQUEST, str(error))


def _context(route: Route, headers: Headers, body: bytes) -> Context:
    """Read the caller's key and attributes from where the route says they are; what is missing is left out."""
    context: Context = {}
    document: Any = _UNREAD
    for name, source in {**route.attributes, TARGETING_KEY: route.key}.items():
        value: Any = _header(headers, source.header_name) if source.header_name else None
        if value is None and source.cookie_name:
            value = _cookie(headers, source.cookie_name)
        if value is None and source.json_path is not None:
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


def _cookie(headers: Headers, wanted: bytes) -> str | None:
    """Return a cookie's value, without the quotes it may stand in (RFC 6265, 4.1.1); an empty one names nobody."""
    for name, value in headers:
        if name == b"cookie":
            for pair in value.split(b";"):
                found, _, content = pair.partition(b"=")
                if found.strip() == wanted:
                    return _text(content.strip().strip(b'"')) or None
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
