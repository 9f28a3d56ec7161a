"""When flags were evaluated last, which of them are stale, and reports of those who evaluate by themselves."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.api.boards import sql_asked
from app.api.params import NO_NUL, Evaluator, Limit, Page, Reader, ServicesOf
from app.errors import Code, ProblemError
from app.housekeeping.listing import Ground, StaleFlag, stale_flags
from app.moments import Moment
from app.ofrep.answers import in_scope
from app.refresh import State
from app.stores.evaluated import IN_BULK, LastEvaluated
from flags.names import Kind
from flags.stale import DAYS, StaleReason

router = APIRouter(tags=["flags"])

MOST = 1_000
"""Evaluations of one report."""


class Evaluated(BaseModel):
    """A variant of a flag that was given, by default now."""

    model_config = ConfigDict(extra="forbid")

    flag: Annotated[str, StringConstraints(max_length=128)]
    variant: Annotated[str, StringConstraints(max_length=128)]
    at: Moment | None = None


class Report(BaseModel):
    """What was evaluated: of each flag and variant the last time is enough."""

    model_config = ConfigDict(extra="forbid")

    evaluations: Annotated[list[Evaluated], Field(min_length=1, max_length=MOST)]


class Skip(StrEnum):
    """Why an evaluation is not noted."""

    UNKNOWN_FLAG = "unknown_flag"
    UNKNOWN_VARIANT = "unknown_variant"
    FORBIDDEN = "forbidden"


class Skipped(BaseModel):
    """An evaluation that is not noted, by its place in the report."""

    index: int
    flag: str
    code: Skip


class Reported(BaseModel):
    """What became of a report."""

    accepted: int
    skipped: list[Skipped]


class LastGiven(BaseModel):
    """When a variant was given last, null for never."""

    variant: str
    last_evaluated: datetime | None


class FlagEvaluated(BaseModel):
    """When a flag was evaluated last, and each of its variants given; `noted_since` is since when that is kept.

    `last_by_name` leaves out evaluations in bulk, of every flag that a caller may see.
    """

    flag: str
    last_evaluated: datetime | None
    last_by_name: datetime | None
    noted_since: datetime | None
    variants: list[LastGiven]


class NeededBy(BaseModel):
    """What stands on a flag: flags that have it as a prerequisite, routes, and a rollout that steers it."""

    flags: list[str]
    routes: list[str]
    rollouts: list[str]


ByName = Annotated[bool, Query(description="Evaluations in bulk, of every flag that a caller may see, do not count.")]


class Stale(BaseModel):
    """A flag that has done its work, and why; what is null is not known, or never was."""

    flag: str
    kind: Kind
    owner: str
    reasons: list[StaleReason]
    expires: date | None
    created_at: datetime | None
    settled_since: datetime | None
    last_evaluated: datetime | None
    needed_by: NeededBy


@router.get("/monitoring/stale-flags")
async def list_stale_flags(
    services: ServicesOf,
    _: Reader,
    days: Annotated[
        float, Query(ge=0, le=3650, description="For how many days a flag is settled or unused before it is stale.")
    ] = DAYS,
    limit: Limit = 100,
    after: Annotated[str | None, Query(pattern=NO_NUL, description="The `next` of the page before.")] = None,
    by_name: ByName = False,
) -> Page[Stale]:
    """List flags by key that have done their work: expired, old, settled, unused or never evaluated."""
    ground = Ground(services.live.state, services.store, services.aftermath)
    items: list[Stale] = []
    with sql_asked():
        await services.seen.settle()
        async for found in stale_flags(ground, services.clock.now(), days, after or "", by_name=by_name):
            if len(items) == limit:
                return Page(items=items, next=items[-1].flag)
            items.append(_told(found))
    return Page(items=items)


@router.get("/flags/{key}/evaluated")
async def flag_evaluated(services: ServicesOf, _: Reader, key: str) -> FlagEvaluated:
    """Say when a flag was evaluated last, in any process, and when each of its variants was given."""
    flag = services.live.state.ruleset.document(key)
    if flag is None:
        raise ProblemError(404, Code.UNKNOWN_FLAG, f'there is no flag "{key}"; GET /flags lists them')
    with sql_asked():
        await services.seen.settle()
        since = await services.aftermath.noted_since()
        found = await services.aftermath.evaluated(key)
    at = {each.variant: _moment(each.at) for each in found}
    by_name = [moment for variant, moment in at.items() if not variant.startswith(IN_BULK)]
    given = {name: [at[each] for each in (name, IN_BULK + name) if each in at] for name in flag.variants}
    return FlagEvaluated(
        flag=key,
        last_evaluated=max(at.values(), default=None),
        last_by_name=max(by_name, default=None),
        noted_since=None if since is None else _moment(since),
        variants=[LastGiven(variant=name, last_evaluated=max(times, default=None)) for name, times in given.items()],
    )


@router.post("/evaluations", status_code=202)
async def report_evaluations(services: ServicesOf, principal: Evaluator, body: Report) -> Reported:
    """Take in what a program has evaluated by itself, so that its flags do not look unused."""
    state, now = services.live.state, int(services.clock.wall())
    scope = in_scope(state, principal.scopes) if principal.scopes else None
    noted, skipped = [], []
    for index, each in enumerate(body.evaluations):
        code = _skip(state, scope, each)
        if code is None:
            at = now if each.at is None else min(int(each.at.timestamp()), now)
            noted.append(LastEvaluated(each.flag, each.variant, at))
        else:
            skipped.append(Skipped(index=index, flag=each.flag, code=code))
    services.seen.note_at(noted)
    return Reported(accepted=len(noted), skipped=skipped)


def _skip(state: State, scope: frozenset[str] | None, evaluated: Evaluated) -> Skip | None:
    """Return why an evaluation is not noted; `scope` is the flags that a token is narrowed to."""
    flag = state.ruleset.document(evaluated.flag)
    if scope is not None and evaluated.flag not in scope:
        return Skip.FORBIDDEN
    if flag is None:
        return Skip.UNKNOWN_FLAG
    return None if evaluated.variant in flag.variants else Skip.UNKNOWN_VARIANT


def _told(found: StaleFlag) -> Stale:
    flag, life = found.flag, found.life
    return Stale(
        flag=flag.key,
        kind=flag.kind,
        owner=flag.owner,
        reasons=[*found.reasons],
        expires=flag.expires,
        created_at=life.created_at,
        settled_since=life.settled_since,
        last_evaluated=life.last_evaluated,
        needed_by=NeededBy(**found.needed_by._asdict()),
    )


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
