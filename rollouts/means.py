"""Evidence on means: asymptotic confidence sequences, stratified by step.

Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Ann. Stat. 2024, arXiv 2103.06476. Steps are never pooled: their
shares differ, and a trend over the rollout would look like a difference of the sides. What is asymptotic needs much
data: a stratum says nothing before it has LEAST_UNITS, and LEAST_EVENTS values that are not 0, of each side.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rollouts.wealth import mixed

LEAST_UNITS, LEAST_EVENTS = 300, 10
TIGHTEST_AT = 5000
"""For so many units of both sides together evidence grows fastest."""

PRECISION = TIGHTEST_AT / (-2 * math.log(0.1) + math.log(1 - 2 * math.log(0.1)))
"""Of the half-normal mixture over effects, in units: what is best for one side at 0.05."""


@dataclass(slots=True)
class Moments:
    """What is kept of the values of one side in one step; `squares` is the sum of squared distances from the mean."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    events: int = 0

    def add(self, value: float) -> None:
        """Take a unit's value (Welford)."""
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self.squares += before * (value - self.mean)
        self.events += value != 0

    @property
    def variance(self) -> float:
        """The values' variance, never less than if one of them had been off by as much as the mean.

        So a constant cost is not taken for an infinitely precise one.
        """
        return max(self.squares / max(self.count - 1, 1), self.mean**2 / self.count)

    def is_enough(self, factor: float = 1.0) -> bool:
        """Whether `factor` times of this may be judged."""
        return factor * self.count >= LEAST_UNITS and factor * self.events >= LEAST_EVENTS


@dataclass(slots=True)
class Stratum:
    """The values of a step."""

    new: Moments = field(default_factory=Moments)
    control: Moments = field(default_factory=Moments)


class Excess(NamedTuple):
    """By how much values exceed what they may be, summed over `units`, with the variance of the sum."""

    total: float = 0.0
    variance: float = 0.0
    units: float = 0.0

    def log_e(self, sign: int, factor: float = 1.0) -> float:
        """Return the log of the one-sided e-value for "above 0" (sign 1) or "below 0" (-1), had `factor` times come.

        A half-normal mixture over effects (Robbins 1970), with the variance estimated.
        """
        if not self.variance:
            return 0.0
        weight = factor * self.units + PRECISION
        score = sign * factor * self.total / math.sqrt(self.variance / self.units * weight)
        return math.log(2.0) + 0.5 * math.log(PRECISION / weight) + 0.5 * score**2 + _log_normal(score)


@dataclass(slots=True)
class MeanEvidence:
    """Values of both sides by step, the last one open."""

    strata: list[Stratum] = field(default_factory=lambda: [Stratum()])

    @property
    def step(self) -> Stratum:
        """The step that it is at."""
        return self.strata[-1]

    def begin(self) -> None:
        """Begin a step; one without values is begun already."""
        if self.step.new.count or self.step.control.count:
            self.strata.append(Stratum())

    def add(self, is_new: bool, value: float) -> None:
        """Take a unit's first value in this step."""
        (self.step.new if is_new else self.step.control).add(value)

    def log_e_against(self, ratio: float, sign: int, begins: int) -> float:
        """Return the log of the e-value, over the whole rollout, for a ratio above (1) or below (-1) the one given."""
        return _over_all([difference(stratum, ratio) for stratum in self.strata], sign, begins)

    def log_e_absolute(self, limit: float, sign: int, begins: int) -> float:
        """Return the log of the e-value, over the whole rollout, for a mean above (1) or below (-1) the limit."""
        return _over_all([distance(stratum, limit) for stratum in self.strata], sign, begins)

    @property
    def ratio(self) -> float | None:
        """The ratio of the means in this step, None without values or for a control of 0."""
        new, control = self.step.new, self.step.control
        return new.mean / control.mean if new.count and control.count and control.mean else None

    def interval(self, alpha: float) -> tuple[float | None, float | None]:
        """Return the ratios, in this step, whose two-sided sequence contains 0 (Fieller's way); None for no end."""
        new, control = self.step.new, self.step.control
        if not (new.is_enough() and control.is_enough()):
            return None, None
        reach = squared_reach(new.count + control.count, alpha)
        top = new.mean**2 - reach * new.variance / new.count
        bottom = control.mean**2 - reach * control.variance / control.count
        if bottom <= 0:
            return None, None
        middle = new.mean * control.mean
        root = math.sqrt(max(middle**2 - bottom * top, 0.0))
        return (middle - root) / bottom, (middle + root) / bottom

    def mean_interval(self, alpha: float) -> tuple[float | None, float | None]:
        """Return the two-sided confidence sequence of the new side's mean in this step."""
        new = self.step.new
        if not new.is_enough():
            return None, None
        reach = math.sqrt(squared_reach(new.count, alpha) * new.variance / new.count)
        return new.mean - reach, new.mean + reach


def difference(stratum: Stratum, ratio: float, factor: float = 1.0) -> Excess:
    """Return by how much the new side exceeds `ratio` times the control; nothing where there is too little."""
    new, control = stratum.new, stratum.control
    if not (new.is_enough(factor) and control.is_enough(factor)):
        return Excess()
    units = new.count + control.count
    variance = new.variance / new.count + ratio**2 * control.variance / control.count
    return Excess(units * (new.mean - ratio * control.mean), units**2 * variance, units)


def distance(stratum: Stratum, limit: float, factor: float = 1.0) -> Excess:
    """Return by how much the new side exceeds a limit; nothing where there is too little."""
    new = stratum.new
    if not new.is_enough(factor):
        return Excess()
    return Excess(new.count * (new.mean - limit), new.count * new.variance, new.count)


def squared_reach(units: int, alpha: float) -> float:
    """Return the square of how many standard errors a two-sided sequence reaches (the GAVI form)."""
    weight = units + PRECISION
    return weight / units * math.log(weight / (PRECISION * alpha**2))


def _over_all(excesses: list[Excess], sign: int, begins: int) -> float:
    tails = [excesses[at:] for at in range(min(len(excesses), begins + 1))]
    return mixed([_summed(tail).log_e(sign) for tail in tails], begins)


def _summed(excesses: Iterable[Excess]) -> Excess:
    return Excess(*(math.fsum(column) for column in zip(*excesses, strict=True)))


def _log_normal(score: float) -> float:
    """Return the log of the normal distribution function; far below 0 by its tail, where erfc would vanish."""
    if score > -8:
        return math.log(0.5 * math.erfc(-score / math.sqrt(2.0)))
    return -0.5 * score**2 - math.log(-score * math.sqrt(2 * math.pi))
