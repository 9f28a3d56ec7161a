"""Figures with the interval that 95 of 100 such intervals have the truth in, if calls come about independently."""

import math

from pydantic import BaseModel

from app.measures.counts import Moments
from app.measures.sketch import ACCURACY, Ranked, Sketch

Z = 1.959963984540054
"""The standard normal distribution's 97.5th percentile."""


class Estimate(BaseModel):
    """A figure, the interval it is in with 95 % confidence (null where nothing tells it), and of how many it is."""

    value: float
    low: float | None
    high: float | None
    n: int


def share(part: int, whole: int) -> Estimate | None:
    """Return a share of 0 to 1 with Wilson's score interval (Wilson 1927, JASA 22), None of nothing."""
    if whole <= 0:
        return None
    found = min(max(part / whole, 0.0), 1.0)
    wide = 1 + Z * Z / whole
    middle = (found + Z * Z / (2 * whole)) / wide
    half = Z * math.sqrt(found * (1 - found) / whole + Z * Z / (4 * whole * whole)) / wide
    # at the ends the bound is the share itself, which rounding would miss
    low = 0.0 if found == 0 else max(middle - half, 0.0)
    return Estimate(value=found, low=low, high=1.0 if found == 1 else min(middle + half, 1.0), n=whole)


def often(times: int, whole: int, per: int = 100) -> Estimate | None:
    """Return how often something happened in so many calls, with the score interval of a Poisson count, None of none.

    It may happen more than once a call, so that this is no share. What Wilson's interval becomes for something rare.
    """
    if whole <= 0:
        return None
    middle, half = times + Z * Z / 2, Z * math.sqrt(times + Z * Z / 4)
    low = 0.0 if times == 0 else middle - half
    return Estimate(value=per * times / whole, low=per * low / whole, high=per * (middle + half) / whole, n=whole)


def mean(moments: Moments) -> Estimate | None:
    """Return the mean of values with the normal interval, which one value alone does not have; None without values."""
    if moments.count <= 0:
        return None
    middle = moments.total / moments.count
    if moments.count == 1:
        return Estimate(value=middle, low=None, high=None, n=1)
    # of equal values rounding leaves something below zero
    variance = max(moments.squares - moments.count * middle * middle, 0.0) / (moments.count - 1)
    half = Z * math.sqrt(variance / moments.count)
    return Estimate(value=middle, low=middle - half, high=middle + half, n=moments.count)


def mean_of(sketch: Sketch) -> Estimate | None:
    """Return the exact mean of a sketch's values; its interval is of the buckets' values, off by as much as they."""
    count, about, squares = sketch.count, 0.0, 0.0
    for value, times in sketch.values():
        about += times * value
        squares += times * value * value
    near = mean(Moments(count, about, squares))
    if near is None:
        return None
    exact = sketch.total / count
    if near.low is None or near.high is None:
        return Estimate(value=exact, low=None, high=None, n=count)
    return Estimate(value=exact, low=exact - near.value + near.low, high=exact - near.value + near.high, n=count)


def quantile(ranked: Ranked, part: float) -> Estimate | None:
    """Return a quantile with the interval between two ranks (the binomial's normal bounds), None without values.

    It is wider by what a sketch may be off, lest neighbouring buckets look like a difference. A rank that is not there,
    as for a p99 of few values, leaves that end of the interval open: null.
    """
    value, count = ranked.quantile(part), ranked.count
    if value is None:
        return None
    half = Z * math.sqrt(count * part * (1 - part))
    below, above = count * part - half - 1, count * part + half
    return Estimate(
        value=value,
        low=ranked.at(below) * (1 - ACCURACY) if below >= 0 else None,
        high=ranked.at(above) * (1 + ACCURACY) if above < count else None,
        n=count,
    )
