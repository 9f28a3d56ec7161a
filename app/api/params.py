"""What endpoints take: services, the caller, versions, reasons and pages, as typed parameters."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from app.auth import Principal, Role
from app.changes import By
from app.errors import Code, ProblemError
from app.wiring import Services
from routers.model import Route

Item = TypeVar("Item")

PRINCIPAL = "crossfade.principal"
"""Where the shell leaves the caller in the ASGI scope."""

NO_NUL = r"^[^\x00]*$"
"""Every character but the one that Postgres keeps in no text."""

ReasonText = Annotated[str, StringConstraints(max_length=2000, pattern=NO_NUL)]


class Reasoned(BaseModel):
    """The body of an action: why it is done."""

    model_config = ConfigDict(extra="forbid")

    reason: ReasonText = ""


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next` is the value of `after` (or `before`) that continues it, null at the end."""

    items: list[Item]
    next: str | int | None = None


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def requires(role: Role) -> Callable[[Request], Principal]:
    """Return the dependency that admits only callers with the role."""

    def caller(request: Request) -> Principal:
        return admitted(request.scope.get(PRINCIPAL), role)

    caller.role = role  # type: ignore[attr-defined]  # read by the test that enumerates who may call what
    return caller


def requires_one_of(*roles: Role) -> Callable[[Request], Principal]:
    """Return the dependency that admits callers with any of the roles."""

    def caller(request: Request) -> Principal:
        principal = admitted(request.scope.get(PRINCIPAL))
        fitting = next((role for role in roles if principal.may(role)), roles[0])
        return admitted(principal, fitting)

    caller.role = ", ".join(roles)  # type: ignore[attr-defined]  # as above
    return caller


def admitted(principal: Principal | None, role: Role | None = None) -> Principal:
    """Return the caller if it has the role, or any when none is named. Raises ProblemError 401 or 403."""
    if principal is None:
        raise ProblemError(
            401,
            Code.UNAUTHENTICATED,
            "send a valid token: Authorization: Bearer <token>",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if role is not None and not principal.may(role):
        detail = f'token "{principal.name}" has the role {principal.role}; this needs {role}'
        raise ProblemError(403, Code.FORBIDDEN, detail)
    return principal


def may_use(caller: Principal, route: Route) -> bool:
    """Say whether a caller's token is scoped to the route, or not scoped at all."""
    return not caller.scopes or not caller.scopes.isdisjoint((f"route:{route.name}", f"flag:{route.flag}"))


def check_scopes(caller: Principal, route: Route) -> None:
    """Refuse a caller whose token is scoped to something else than the route. Raises ProblemError 403."""
    if not may_use(caller, route):
        wanted = (f"route:{route.name}", f"flag:{route.flag}")
        scopes = ", ".join(sorted(caller.scopes))
        detail = f'token "{caller.name}" is scoped to {scopes}; this needs {" or ".join(wanted)}'
        raise ProblemError(403, Code.FORBIDDEN, detail)


def _version_expected(
    if_match: Annotated[str | None, Header(description='The version read: `7` or `"7"`.')] = None,
) -> int | None:
    """Read If-Match: None when it is missing, -1 for `*`, which any version fits."""
    if if_match is None:
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if text == "*":
        return ANY_VERSION
    if not text.isdecimal() or len(text) > 15:
        raise ProblemError(400, Code.INVALID_REQUEST, f'If-Match must be a version such as 7 or "7", not {if_match!r}')
    return int(text)


ANY_VERSION = -1


def required_version(given: Annotated[int | None, Depends(_version_expected)]) -> int | None:
    """Return the version a write stands on, None for any. Raises ProblemError 428 when it is missing."""
    if given is None:
        raise ProblemError(
            428, Code.VERSION_REQUIRED, "send If-Match with the version you read, so that no other change is lost"
        )
    return None if given == ANY_VERSION else given


def optional_version(given: Annotated[int | None, Depends(_version_expected)]) -> int | None:
    """Return the version a write stands on, None for any."""
    return None if given == ANY_VERSION else given


ServicesOf = Annotated[Services, Depends(_services)]
Evaluator = Annotated[Principal, Depends(requires(Role.EVALUATE))]
Reader = Annotated[Principal, Depends(requires(Role.READ))]
Operator = Annotated[Principal, Depends(requires(Role.OPERATE))]
Alerter = Annotated[Principal, Depends(requires(Role.ALERT))]
Killer = Annotated[Principal, Depends(requires(Role.KILL))]
Stopper = Annotated[Principal, Depends(requires_one_of(Role.OPERATE, Role.KILL))]
Admin = Annotated[Principal, Depends(requires(Role.ADMIN))]
RequiredVersion = Annotated[int | None, Depends(required_version)]
OptionalVersion = Annotated[int | None, Depends(optional_version)]
Name = Annotated[str, Path(pattern=NO_NUL)]
ChangeReason = Annotated[
    str,
    Header(alias="X-Crossfade-Change-Reason", max_length=2000, pattern=NO_NUL, description="Why; kept in the audit."),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most items of this page.")]
After = Annotated[str | None, Query(description="The `next` of the page before.")]
Before = Annotated[int | None, Query(ge=1, le=2**53, description="The `next` of the page before.")]


def by(principal: Principal, reason: str) -> By:
    """Return who writes and why; a reason that came in a header is read as UTF-8 if it is."""
    try:
        return By(principal.name, reason.encode("latin-1").decode())
    except UnicodeError:
        return By(principal.name, reason)


def page_of(items: Iterable[tuple[str, Any]], after: str | None, limit: int) -> tuple[list[Any], str | None]:
    """Cut a page out of keyed items: those behind `after`, in the order of their keys; and what continues it."""
    behind = sorted((pair for pair in items if after is None or pair[0] > after), key=lambda pair: pair[0])
    chosen = behind[:limit]
    return [item for _, item in chosen], chosen[-1][0] if len(behind) > limit else None
