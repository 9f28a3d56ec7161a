"""The one ASGI shell around all endpoints: `/api`, limits, authentication, problems and metrics."""

import structlog
from fastapi import FastAPI

from app.api.asgi import CallerLeftError, Message, Receive, Scope, Send, parsed, read_body, respond_problem
from app.api.hot import Handler, HotEndpoint, find, find_alias
from app.api.params import PRINCIPAL
from app.auth import Principal
from app.errors import Code, ProblemError
from app.wiring import Services

log = structlog.get_logger("crossfade.http")

LEFT = 499
"""What is counted when the caller left before the answer, as nginx does."""

_PREFIX = b"/api/"
_BODILESS = {"GET", "HEAD", "OPTIONS"}
_ALWAYS_ADMITTED = {b"/healthz", b"/readyz"}


class Shell:
    """Serves hot endpoints itself and leaves the rest to FastAPI; `services` is set while the service is up."""

    def __init__(self, control: FastAPI) -> None:
        self.control = control
        self.services: Services | None = None
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.control(scope, receive, send)
        elif scope["type"] == "http" and self.services is not None:
            await self._counted(self.services, scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _counted(self, services: Services, scope: Scope, receive: Receive, send: Send) -> None:
        clock = services.clock.monotonic
        started = clock()
        self._open += 1
        call = _Request(self, services, scope)
        try:
            status = await call.answer(receive, send)
        except ProblemError as problem:
            status = problem.status
            await respond_problem(send, problem)
        except CallerLeftError:
            status = LEFT
        except Exception:
            status = 500
            log.exception("request failed", method=scope["method"], endpoint=call.label)
            await respond_problem(send, ProblemError(500, Code.INTERNAL, "an error of the service; it is in its log"))
        finally:
            self._open -= 1
        if status == 401:
            services.metrics.logins_failed.inc()
        services.metrics.count_request(call.label, status, clock() - started)

    def is_full(self, services: Services) -> bool:
        """Say whether no more requests are admitted."""
        return self._open > services.settings.max_concurrency


class _Request:
    """One request on its way to its endpoint; `label` is the endpoint's template for the metrics."""

    def __init__(self, shell: Shell, services: Services, scope: Scope) -> None:
        self.label = "other"
        self._shell = shell
        self._services = services
        self._scope = scope

    async def answer(self, receive: Receive, send: Send) -> int:
        services, scope = self._services, self._scope
        found = self._endpoint()
        headers = scope["headers"]
        if len(headers) > services.settings.max_headers:
            detail = f"a request may have {services.settings.max_headers} header fields at most"
            raise ProblemError(431, Code.TOO_MANY_HEADERS, detail)
        if self._shell.is_full(services) and scope["raw_path"] not in _ALWAYS_ADMITTED:
            raise ProblemError(503, Code.OVERLOADED, "too many requests at once", headers={"Retry-After": "1"})
        scope[PRINCIPAL] = principal_of(services, headers)
        if found is None:
            return await self._control(receive, send)
        endpoint, handler = found
        self.label = endpoint.template
        return await handler(services, scope, receive, send)

    def _endpoint(self) -> tuple[HotEndpoint, Handler] | None:
        """Find the hot endpoint, and take `/api` off the path."""
        scope = self._scope
        path: bytes = scope["raw_path"]
        aliased = find_alias(self._services, path)
        if aliased is not None:
            return aliased
        if path.startswith(_PREFIX):
            path = path[len(_PREFIX) - 1 :]
            scope["raw_path"], scope["path"] = path, scope["path"][len(_PREFIX) - 1 :]
        return find(scope["method"], path)

    async def _control(self, receive: Receive, send: Send) -> int:
        settings, scope = self._services.settings, self._scope
        if scope["method"] not in _BODILESS:
            body = await read_body(receive, settings.max_body_bytes)
            if body:
                parsed(body, settings.max_json_depth)
                scope["headers"] = _as_json(scope["headers"])
            receive = _replay(body, receive)
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._shell.control(scope, receive, watched)
        except Exception:
            if not status:
                raise
            log.exception("request failed", method=scope["method"], path=scope["path"])
        self.label = getattr(scope.get("route"), "path", "other")
        return status


def principal_of(services: Services, headers: list[tuple[bytes, bytes]]) -> Principal | None:
    """Return who calls, by `X-Crossfade-Token` or else by `Authorization: Bearer`; None for nobody known."""
    bearer = None
    for name, value in headers:
        if name == b"x-crossfade-token":
            bearer = value
            break
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:]
    if bearer is None:
        return None
    return services.live.state.tokens.principal(bearer.strip().decode("latin-1"), services.clock.wall())


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
