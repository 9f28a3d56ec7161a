"""The application: the shell, the endpoints and what a start and a stop do."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app import bootstrap, logs
from app.api import (
    alerts,
    audit,
    baselines,
    breakers,
    comparison,
    dashboard,
    flags,
    housekeeping,
    kill_switch,
    notices,
    outcome_export,
    probes,
    rollouts,
    routes,
    ruleset,
    schedules,
    segments,
    tokens,
    transfer,
)
from app.api.hot import find
from app.api.openapi import openapi
from app.background import running
from app.clock import Clock
from app.errors import PROBLEM_TYPE, Code, ProblemError, invalid
from app.settings import Settings
from app.shell import Shell, or_limited
from app.siblings import Place
from app.stores.records import StoreUnavailableError
from app.transfer import place as place_of
from app.wiring import Services, wire
from routers.call import Send

log = structlog.get_logger("crossfade.start")

VERSION = "0.1.0"
AGAIN_S = 1.0
"""How long a start that found the store away again waits."""

DOCUMENT_PATHS = {
    "/flags",
    "/flags/{key}",
    "/import",
    "/rollouts",
    "/routes",
    "/routes/{name}",
    "/segments",
    "/segments/{name}",
}
"""Where a body is a document, and not an action on one."""

ROUTERS = (
    flags.router,
    schedules.router,
    housekeeping.router,
    routes.router,
    segments.router,
    rollouts.router,
    comparison.router,
    kill_switch.router,
    alerts.router,
    notices.router,
    breakers.router,
    dashboard.router,
    baselines.router,
    tokens.router,
    audit.router,
    ruleset.router,
    transfer.router,
    outcome_export.router,
    probes.router,
    routes.by_version,
)


def create_app(
    settings: Settings | None = None,
    *,
    send: Send | None = None,
    clock: Clock | None = None,
    place: Place | None = None,
) -> Shell:
    """Return the service as an ASGI application; `send` and `clock` replace the world in tests.

    `place` is a worker's among those of the same parent.
    """
    settings = settings or Settings()
    shell: Shell

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logs.configure(settings)
        async with wire(settings, send=send, clock=clock, place=place) as services, _started(services):
            app.state.services = shell.services = services
            yield
            shell.services = None

    app = FastAPI(
        title="Crossfade",
        version=VERSION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
        swagger_ui_oauth2_redirect_url=None,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(StoreUnavailableError, _not_to_be_read)
    app.add_exception_handler(Exception, _internal)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    shell = Shell(app)
    return shell


@asynccontextmanager
async def _started(services: Services) -> AsyncIterator[None]:
    """Do what a start does to the state: now, or as soon as the store is first in contact."""
    if services.standing.first_contact.is_set():
        await bootstrap.agreed(lambda: _start(services))
        yield
        return
    settings = services.settings
    if settings.serve_seed_when_unknown and settings.seed is not None and not services.live.is_known:
        bootstrap.serve_seed(services.live, settings.seed)
        log.warning("the seed is in force until the store is back", seed=str(settings.seed))
    async with running(_start_later(services)):
        yield


async def _start_later(services: Services) -> None:
    await services.standing.first_contact.wait()
    while True:
        try:
            await _start(services)
        except ProblemError as error:
            log.warning("the start is not complete and tried again", why=error.detail)
            await asyncio.sleep(AGAIN_S)
        except bootstrap.SeedError as error:
            log.error("the seed is not sown", why=str(error))  # noqa: TRY400 - told, not traced, as at any start
            return
        else:
            return


async def _start(services: Services) -> None:
    settings = services.settings
    token = await bootstrap.first_admin_token(services.live.state, settings, services.changes)
    if token is not None:
        sys.stderr.write(f"Crossfade made the first admin token. It is shown only now, keep it:\n\n    {token}\n\n")
        sys.stderr.flush()
    await bootstrap.first_signing_key(services.live.state, settings, services.changes)
    if settings.seed is not None:
        await bootstrap.sow(services.live.state, settings.seed, services.changes)
    await bootstrap.apply_environment(services.live.state, os.environ, services.changes, services.clock.wall())
    ruleset = services.live.state.ruleset
    log.info("ready", flags=len(ruleset.flags), epoch=ruleset.epoch, revision=ruleset.revision)


def _answer(problem: ProblemError) -> Response:
    return Response(problem.body(), problem.status, problem.headers, PROBLEM_TYPE)


async def _problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, ProblemError):
        raise error
    return _answer(await or_limited(request.app.state.services, request.scope, error))


async def _invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [{**each, "loc": each["loc"][1:]} for each in error.errors()]
    if any(each["type"] == "json_invalid" for each in errors):
        return _answer(ProblemError(400, Code.MALFORMED_JSON, "the body is not JSON"))
    in_body = any(each["loc"][0] == "body" for each in error.errors())
    path = getattr(request.scope.get("route"), "path", "")
    is_document = in_body and path in DOCUMENT_PATHS
    if in_body and path == "/import":
        errors = [{**each, "loc": place_of(error.body, each["loc"])} for each in errors]
    return _answer(invalid(Code.INVALID_DOCUMENT if is_document else Code.INVALID_REQUEST, errors))


async def _http_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404 and find("POST", request.scope["path"]):
        # the shell answers a POST there itself, and the table of FastAPI does not know it
        error = HTTPException(405, headers={"Allow": "POST"})
    known = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED}
    told = {
        404: f"there is nothing at {request.url.path}; /docs lists what there is",
        405: f"{request.method} does not go with {request.url.path}",
    }
    code = known.get(error.status_code, Code.INVALID_REQUEST)
    detail = told.get(error.status_code, str(error.detail))
    return _answer(ProblemError(error.status_code, code, detail, headers=error.headers))


async def _not_to_be_read(_: Request, error: Exception) -> Response:
    log.warning("read refused: the journal is away", why=str(error))
    detail = f"this is read from the journal, which cannot be asked: {error}"
    return _answer(ProblemError(503, Code.STORE_UNAVAILABLE, detail, headers={"Retry-After": "5"}))


async def _internal(_: Request, __: Exception) -> Response:
    return _answer(ProblemError(500, Code.INTERNAL, "an error of the service; it is in its log"))
