"""The counts of a stretch of time by route and side, in all and point by point."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from app.measures.counts import Counts
from app.stores.measures import DAY_S, HOUR_S, MINUTE_S, QUARTER_S, Measure


class Range(StrEnum):
    """How far back a board goes; measures are kept for 90 days."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


class Grain(NamedTuple):
    """How a range is read: so many seconds back, in rows of `span` seconds, shown in points of `point` seconds."""

    back: int
    span: int
    point: int


GRAINS: Mapping[Range, Grain] = {
    Range.HOUR: Grain(HOUR_S, MINUTE_S, 2 * MINUTE_S),
    Range.DAY: Grain(DAY_S, HOUR_S, HOUR_S),
    Range.WEEK: Grain(7 * DAY_S, QUARTER_S, QUARTER_S),
    Range.MONTH: Grain(30 * DAY_S, DAY_S, DAY_S),
}
"""At most 31 points, and 61 rows for each side: what is asked for is there within a moment."""


class Sums(NamedTuple):
    """What a side came to in all, and by the second since 1970 at which each point begins."""

    total: Counts
    points: Mapping[int, Counts]


Board = Mapping[str, Mapping[str, Sums]]
"""Sums by route and side."""


def since_of(within: Range, now: float) -> int:
    """Return where a range begins, in seconds since 1970: with a whole row, so that it is never too short."""
    grain = GRAINS[within]
    return int(now - grain.back) // grain.span * grain.span


def board_of(rows: Iterable[Measure], within: Range, since: int) -> Board:
    """Add up rows of a range that begins at `since`."""
    point = GRAINS[within].point
    points: dict[str, dict[str, dict[int, Counts]]] = {}
    for row in rows:
        at = row.start - (row.start - since) % point
        side = points.setdefault(row.route, {}).setdefault(row.side, {})
        counts = Counts.from_json(row.body)
        if at in side:
            side[at].merge(counts)
        else:
            side[at] = counts
    return {
        route: {side: Sums(_total(those.values()), those) for side, those in sorted(sides.items())}
        for route, sides in sorted(points.items())
    }


def _total(points: Iterable[Counts]) -> Counts:
    total = Counts()
    for each in points:
        total.merge(each)
    return total
