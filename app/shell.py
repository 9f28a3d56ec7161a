"""The one ASGI shell around all endpoints: `/api`, limits, authentication, problems and metrics."""

import asyncio

import structlog
from fastapi import FastAPI

from app import durability
from app.api.answering import LEFT
from app.api.asgi import (
    PREFIX,
    CallerLeftError,
    Message,
    Receive,
    Scope,
    Send,
    parsed,
    read_body_in_time,
    refuse_twice,
)
from app.api.hot import Found, find, find_alias
from app.api.ofrep_asking import refuse
from app.api.openapi import OPEN_PATHS
from app.api.params import PRINCIPAL, admitted
from app.api.peers import source_in
from app.auth import Principal, Role
from app.changes import By
from app.errors import Code, ProblemError
from app.garbage import nothing_collected
from app.logins import FAILURES, WINDOW_S
from app.stores.records import Action
from app.wiring import Services

log = structlog.get_logger("crossfade.http")

LARGE_BODY = 256 * 1024
"""Bytes of a body that is looked through in a thread: megabytes would hold up the event loop for a while."""

ALERTS_PATH = "/alerts/webhook"

_PREFIX = "/api/"
_BODILESS = {"GET", "HEAD", "OPTIONS"}
_PROBES = {"/healthz", "/readyz"}


class Shell:
    """Serves hot endpoints itself and leaves the rest to FastAPI; `services` is set while the service is up."""

    def __init__(self, control: FastAPI) -> None:
        self.control = control
        self.services: Services | None = None
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, and count it."""
        services = self.services
        if scope["type"] != "http" or services is None:
            await self._not_http(scope, receive, send)
            return
        clock = services.clock.monotonic
        began = clock()
        self._open += 1
        counted = 1
        label = "other"
        try:
            found = self._admitted(services, scope)
            if found is None:
                label, status = await self._control(services, scope, receive, send)
            else:
                endpoint, route, path = found
                label = endpoint.template
                if endpoint.lasts:
                    # these have a bound of their own, and take nothing from calls
                    self._open -= 1
                    counted = 0
                status = await endpoint.handler(services, scope, receive, send, route, path)
        except ProblemError as problem:
            told = await or_limited(services, scope, problem)
            status = told.status
            await refuse(services, scope, send, told)
        except CallerLeftError:
            status = LEFT
        except Exception:
            status = 500
            log.exception("request failed", method=scope["method"], endpoint=label)
            why = ProblemError(500, Code.INTERNAL, "an error of the service; it is in its log")
            await refuse(services, scope, send, why)
        finally:
            self._open -= counted
        services.metrics.count_request(label, status, clock() - began)

    async def _not_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.control(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    def _admitted(self, services: Services, scope: Scope) -> Found | None:
        """Find the endpoint, hot or None, and who calls. Raises ProblemError beyond the limits of headers and calls."""
        headers, settings = scope["headers"], services.settings
        found = _found(services, scope)
        if not services.live.is_known and scope["path"] not in OPEN_PATHS:
            raise state_unknown()
        if len(headers) > settings.max_headers:
            detail = f"a request may have {settings.max_headers} header fields at most"
            raise ProblemError(431, Code.TOO_MANY_HEADERS, detail)
        principal = scope[PRINCIPAL] = principal_of(services, headers)
        if self._open > settings.max_concurrency and not _is_always_admitted(scope, principal):
            raise ProblemError(503, Code.OVERLOADED, "too many requests at once", headers={"Retry-After": "1"})
        return found

    async def _control(self, services: Services, scope: Scope, receive: Receive, send: Send) -> tuple[str, int]:
        if scope["path"] not in OPEN_PATHS:
            admitted(scope[PRINCIPAL])
        if scope["method"] not in _BODILESS:
            receive = await _checked_body(services, scope, receive)
        status = 0
        durability.begin()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *durability.headers()]}
            await send(message)

        try:
            await self.control(scope, receive, watched)
        except Exception:
            if not status:
                raise
            log.exception("request failed", method=scope["method"], path=scope["path"])
        return getattr(scope.get("route"), "path", "other"), status


def state_unknown() -> ProblemError:
    """Return the answer of a process that does not know the state yet."""
    detail = "the state is not known yet: this process started while its store is away"
    return ProblemError(503, Code.STATE_UNKNOWN, detail, headers={"Retry-After": "1"})


def _is_always_admitted(scope: Scope, principal: Principal | None) -> bool:
    """Say whether a full service answers all the same: probes, and whoever may use the kill switch or raises alerts."""
    if principal is None:
        return scope["path"] in _PROBES
    return scope["path"] in _PROBES or principal.may(Role.KILL) or principal.role is Role.ALERT


def _found(services: Services, scope: Scope) -> Found | None:
    """Find the hot endpoint, and take `/api` off the path."""
    path = scope["raw_path"].decode("latin-1")
    aliases = services.live.state.aliases
    if aliases and (aliased := find_alias(aliases, path)) is not None:
        return aliased
    if path.startswith(_PREFIX):
        path = path[len(_PREFIX) - 1 :]
        scope[PREFIX] = _PREFIX[:-1]
        scope["raw_path"], scope["path"] = path.encode("latin-1"), scope["path"][len(_PREFIX) - 1 :]
        if aliases and (aliased := find_alias(aliases, path)) is not None:
            return aliased
    return find(scope["method"], path)


async def _checked_body(services: Services, scope: Scope, receive: Receive) -> Receive:
    """Read the body within its limits, and return what gives it once more."""
    body = await read_body_in_time(receive, services.settings.max_body_bytes, services.settings.body_timeout_s)
    if len(body) > LARGE_BODY:
        await asyncio.to_thread(nothing_collected()(_check), body, services.settings.max_json_depth)
    elif body:
        _check(body, services.settings.max_json_depth)
    if body:
        scope["headers"] = _as_json(scope["headers"])
    return _replay(body, receive)


def _check(body: bytes, max_depth: int) -> None:
    parsed(body, max_depth)
    refuse_twice(body)


def principal_of(services: Services, headers: list[tuple[bytes, bytes]]) -> Principal | None:
    """Return who calls, by `X-Crossfade-Token` or else by `Authorization: Bearer`; None for nobody known."""
    bearer = _bearer(headers)
    return None if bearer is None else services.live.state.tokens.principal(bearer, services.clock.wall())


def _bearer(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    bearer = None
    for name, value in headers:
        if name == b"x-crossfade-token":
            bearer = value
            break
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:]
    return bearer


def _told_apart(services: Services, scope: Scope, problem: ProblemError) -> ProblemError:
    """Return the problem; for a token that was valid, or for want of a secret to know one by, one that says so."""
    bearer = _bearer(scope["headers"])
    if services.settings.alert_secret is None and (scope["method"], scope["path"]) == ("POST", ALERTS_PATH):
        detail = "CROSSFADE_ALERT_SECRET is not set: set it where the service runs, and send it as the bearer token"
        return ProblemError(503, Code.ALERT_SECRET_UNSET, detail)
    if bearer is None or not services.live.state.tokens.has_expired(bearer, services.clock.wall()):
        return problem
    return ProblemError(problem.status, problem.code, "the token has expired; send another", headers=problem.headers)


async def or_limited(services: Services, scope: Scope, problem: ProblemError) -> ProblemError:
    """Return the problem; in place of a failed login's, 429 when its source failed too often within a minute.

    A valid token is known before, so nobody who has one is locked out by others behind the same address.
    """
    if problem.code is not Code.UNAUTHENTICATED:
        return problem
    source = source_in(services, scope)
    refusal = services.logins.failed(source, services.clock.monotonic())
    services.metrics.count_failed_login(limited=refusal is not None)
    if refusal is None:
        return _told_apart(services, scope, problem)
    if refusal.is_first:
        await _note_limit(services, source)
    detail = f"{FAILURES} requests from here had no valid token within {WINDOW_S:g} s; send a valid one, or wait"
    headers = {"Retry-After": str(refusal.retry_after_s)}
    return ProblemError(429, Code.RATE_LIMITED, detail, headers=headers)


async def _note_limit(services: Services, source: str) -> None:
    why = By("login", f"{FAILURES} failed logins within {WINDOW_S:g} s")
    try:
        await services.changes.note(Action.LOGIN_LIMITED, "source", source, why)
    except ProblemError as error:
        log.warning("not audited", action=Action.LOGIN_LIMITED, target=f"source:{source}", why=error.detail)


def _as_json(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Call the body what it is: nobody at night should have to tell curl so."""
    return [*(header for header in headers if header[0] != b"content-type"), (b"content-type", b"application/json")]


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read once more, and what comes after it."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
