"""Baselines: figures that are kept under a name, and what became better or worse since."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from app.api.boards import Kept, RouteFigures, figures_in, seen_in, sql_asked
from app.api.params import NO_NUL, Limit, Operator, Page, Reader, ServicesOf
from app.errors import Code, ProblemError
from app.measures.board import Range
from app.measures.differences import Difference, Found, differences
from app.measures.figures import Figures
from app.stores.baselines import Baseline
from app.wiring import Services
from flags.names import KEY_PATTERN

router = APIRouter(tags=["monitoring"])

BaselineName = Annotated[str, Path(pattern=KEY_PATTERN, description="Letters, digits, `_`, `.` and `-`.")]


class Saving(BaseModel):
    """What a baseline is made of: the figures of a route, null for all, within a range that ends now."""

    model_config = ConfigDict(extra="forbid")

    route: Annotated[str, StringConstraints(max_length=64, pattern=NO_NUL)] | None = None
    range: Range = Range.DAY


class Head(BaseModel):
    """A baseline without its figures."""

    name: str
    saved_at: datetime
    saved_by: str
    route: str | None
    range: Range
    since: datetime
    until: datetime


class Whole(Head):
    """A baseline: figures by route and side, as the dashboard shows them."""

    routes: list[RouteFigures]


class SideSince(BaseModel):
    """A side of a route: each figure now (`one`) and in the baseline (`other`)."""

    route: str
    side: str
    figures: list[Difference]


class Since(BaseModel):
    """What became of a baseline's figures, over as long a range that ends now.

    `better` and `worse` count figures that changed beyond chance; `note` says in words what nothing can be said of.
    """

    baseline: Head
    since: datetime
    until: datetime
    better: int
    worse: int
    note: str | None
    items: list[SideSince]


@router.get("/monitoring/baselines")
async def list_baselines(
    services: ServicesOf,
    _: Reader,
    limit: Limit = 100,
    after: Annotated[str | None, Query(pattern=NO_NUL, description="The `next` of the page before.")] = None,
) -> Page[Head]:
    """List baselines by name."""
    with sql_asked():
        found = await services.aftermath.baselines(after or "", limit + 1)
    shown = found[:limit]
    read = [_read(each) for each in shown]
    items = [_head(*each) for each in read if each is not None]
    return Page(items=items, next=shown[-1].name if len(found) > limit else None)


@router.get("/monitoring/baselines/{name}")
async def get_baseline(services: ServicesOf, _: Reader, name: BaselineName) -> Whole:
    """Return one baseline with its figures."""
    return _whole(*await _found(services, name))


@router.put("/monitoring/baselines/{name}")
async def save_baseline(
    services: ServicesOf, principal: Operator, name: BaselineName, body: Saving | None = None
) -> Whole:
    """Keep the figures of a range that ends now, in the place of what had the name."""
    wanted = body or Saving()
    board, since = await seen_in(services, wanted.route, wanted.range)
    now = services.clock.now()
    kept = Kept(
        route=wanted.route,
        range=wanted.range,
        since=datetime.fromtimestamp(since, UTC),
        until=now,
        routes=figures_in(board),
    )
    baseline = Baseline(name, now, principal.name, kept.model_dump_json())
    with sql_asked():
        await services.aftermath.keep_baseline(baseline)
    return _whole(baseline, kept)


@router.delete("/monitoring/baselines/{name}", status_code=204)
async def delete_baseline(services: ServicesOf, _: Operator, name: BaselineName) -> None:
    """Forget a baseline."""
    with sql_asked():
        is_gone = await services.aftermath.forget_baseline(name)
    if not is_gone:
        raise _unknown(name)


@router.get("/monitoring/baselines/{name}/comparison")
async def compare_baseline(services: ServicesOf, _: Reader, name: BaselineName) -> Since:
    """Compare the figures of as long a range that ends now with a baseline's: what is better or worse beyond chance."""
    baseline, kept = await _found(services, name)
    board, since = await seen_in(services, None, kept.range)
    now = {(each.route, side.side): side.figures for each in figures_in(board) for side in each.sides}
    items = [*_compared(kept, now)]
    found = [each.found for item in items for each in item.figures]
    return Since(
        baseline=_head(baseline, kept),
        since=datetime.fromtimestamp(since, UTC),
        until=services.clock.now(),
        better=found.count(Found.BETTER),
        worse=found.count(Found.WORSE),
        note=_note(kept, items),
        items=items,
    )


def _compared(kept: Kept, now: Mapping[tuple[str, str], Figures]) -> Iterator[SideSince]:
    for each in kept.routes:
        for side in each.sides:
            one = now.get((each.route, side.side))
            told = [] if one is None else [*differences(one, side.figures)]
            yield SideSince(route=each.route, side=side.side, figures=told)


def _note(kept: Kept, items: Sequence[SideSince]) -> str | None:
    silent = [f"{item.route}/{item.side}" for item in items if not item.figures]
    if not kept.routes:
        return "the baseline holds no figures"
    return f"nothing was counted now of {', '.join(silent)}" if silent else None


async def _found(services: Services, name: str) -> tuple[Baseline, Kept]:
    with sql_asked():
        baseline = await services.aftermath.baseline(name)
    read = None if baseline is None else _read(baseline)
    if read is None:
        raise _unknown(name)
    return read


def _unknown(name: str) -> ProblemError:
    return ProblemError(404, Code.NOT_FOUND, f'there is no baseline "{name}"; GET /monitoring/baselines lists them')


def _read(baseline: Baseline) -> tuple[Baseline, Kept] | None:
    """Read what was kept: None for what a newer program wrote, which this one does not understand."""
    try:
        return baseline, Kept.model_validate_json(baseline.body)
    except ValidationError:
        return None


def _head(baseline: Baseline, kept: Kept) -> Head:
    told = {"name": baseline.name, "saved_at": baseline.at, "saved_by": baseline.actor}
    return Head(**told, **kept.model_dump(exclude={"routes"}))


def _whole(baseline: Baseline, kept: Kept) -> Whole:
    return Whole(**_head(baseline, kept).model_dump(), routes=kept.routes)
