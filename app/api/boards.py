"""What the dashboard and baselines share: the figures of every route, read from SQL."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel

from app.errors import Code, ProblemError
from app.measures.board import GRAINS, Board, Range, board_of, since_of
from app.measures.figures import Figures, figures_of
from app.stores.records import StoreUnavailableError
from app.wiring import Services

WITHOUT_SQL = (
    "Calls, flags, kills and breakers go on without it: GET /breakers, /flags, /rollouts and /metrics answer, and what "
    "is counted meanwhile is carried later"
)


class Seen(NamedTuple):
    """A board, and the second since 1970 that it begins at."""

    board: Board
    since: int


class SideFigures(BaseModel):
    """What came of one side of a route."""

    side: str
    figures: Figures


class RouteFigures(BaseModel):
    """What came of a route, by side."""

    route: str
    sides: list[SideFigures]


class Kept(BaseModel):
    """A baseline's figures: those of a stretch of time."""

    route: str | None
    range: Range
    since: datetime
    until: datetime
    routes: list[RouteFigures]


async def seen_in(services: Services, route: str | None, within: Range) -> Seen:
    """Return what was counted within a range of a route, None for all, in every process.

    Raises ProblemError 404 for a route that there is not and that nothing is known of, 503 while SQL is away.
    """
    since = since_of(within, services.clock.wall())
    with sql_asked():
        # first what this process has counted and not carried yet
        await services.outcomes.carrier.settle()
        rows = await services.aftermath.measures(route, since, GRAINS[within].span)
    if route is not None and not rows and route not in services.live.state.routes:
        told = f'there is no route "{route}", and nothing was counted of one within {within}; GET /routes lists them'
        raise ProblemError(404, Code.UNKNOWN_ROUTE, told)
    # beside the loop: what a month comes to takes longer to add up than a call may wait
    return Seen(await asyncio.to_thread(board_of, rows, within, since), since)


def figures_in(board: Board) -> list[RouteFigures]:
    """Return what is on a board, as figures."""
    return [
        RouteFigures(
            route=route,
            sides=[
                SideFigures(side=side, figures=figures_of(sums.total, sum(each.total.calls for each in sides.values())))
                for side, sums in sides.items()
            ],
        )
        for route, sides in board.items()
    ]


@contextmanager
def sql_asked() -> Iterator[None]:
    """Tell a caller whose question needs SQL that it is away, and what answers all the same."""
    try:
        yield
    except StoreUnavailableError as error:
        detail = f"figures are kept in SQL, which cannot be asked: {error}. {WITHOUT_SQL}"
        raise ProblemError(503, Code.STORE_UNAVAILABLE, detail, headers={"Retry-After": "5"}) from error
