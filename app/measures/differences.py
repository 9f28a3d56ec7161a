"""Two sides, or now and before, figure by figure: what differs beyond chance, and whether that is for the better."""

from collections.abc import Iterator
from enum import StrEnum

from pydantic import BaseModel

from app.measures.estimates import Estimate
from app.measures.figures import Figure, Figures, each_of


class Found(StrEnum):
    """What a difference comes to; `same` is one that chance explains."""

    BETTER = "better"
    WORSE = "worse"
    DIFFERENT = "different"
    SAME = "same"
    UNKNOWN = "unknown"


class Difference(BaseModel):
    """One figure of both; `ratio` is one / other, null where that says nothing.

    `found` goes by the intervals: what differs does so beyond chance if they do not overlap.
    """

    figure: str
    one: Estimate | None
    other: Estimate | None
    ratio: float | None
    found: Found


def differences(one: Figures, other: Figures) -> Iterator[Difference]:
    """Compare all figures of one with those of the other, such as the new side's with the control's."""
    kinds = sorted({*one.engagement, *other.engagement})
    mine, others = ({figure.name: figure for figure in each_of(each, kinds)} for each in (one, other))
    for name in [*mine, *(name for name in others if name not in mine)]:
        told = mine.get(name) or others[name]
        pair = [figure and figure.estimate for figure in (mine.get(name), others.get(name))]
        if pair != [None, None]:
            yield _difference(told, *pair)


def _difference(figure: Figure, one: Estimate | None, other: Estimate | None) -> Difference:
    ratio = one.value / other.value if one is not None and other is not None and other.value else None
    found = _found(one, other, is_lower_better=figure.is_lower_better)
    return Difference(figure=figure.name, one=one, other=other, ratio=ratio, found=found)


def _found(one: Estimate | None, other: Estimate | None, *, is_lower_better: bool | None) -> Found:
    if one is None or other is None:
        return Found.UNKNOWN
    is_below, is_above = _is_less(one.high, other.low), _is_less(other.high, one.low)
    if not is_below and not is_above:
        return Found.UNKNOWN if None in {one.low, one.high, other.low, other.high} else Found.SAME
    if is_lower_better is None:
        return Found.DIFFERENT
    return Found.BETTER if is_below == is_lower_better else Found.WORSE


def _is_less(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one < other
