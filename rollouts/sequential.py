"""Evidence on rates: event-conditional e-processes on at-risk exposures, valid at any time and under any ramp.

Under a ratio r of the new side's rate to the control's, an event of a moment comes from the new side with the chance
q r / (q r + 1 - q), q being its share of the moment's at-risk exposures, whatever the base rate does. What is bet on
that is a supermartingale for any rates, as a trial's hits are dominated by Poisson ones (in the line of Lindon and
Malek, arXiv 2011.03567, and of the safe log-rank test, arXiv 2011.06931).
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from rollouts.wealth import FIRST, LATER, STAKES, Wealth, gains, log_mean_exp

GRID = tuple(math.log(32.0) * at / 30 for at in range(-30, 31))
"""Logs of the ratios, 1/32 to 32 and 12 % apart, on which the likelihood is kept for the interval."""

_RISES = tuple(math.expm1(log) for log in GRID)


class Tick(NamedTuple):
    """Exposures of units at risk, and first events, of each side in a moment."""

    exposed_new: int
    exposed_control: int
    events_new: int
    events_control: int

    def and_then(self, later: "Tick") -> "Tick":
        """Return both together."""
        return Tick(*(before + now for before, now in zip(self, later, strict=True)))


NOTHING = Tick(0, 0, 0, 0)


def chance_of_new(ratio: float, exposed_new: int, exposed_control: int) -> float:
    """Return the chance that an event is the new side's when its rate is `ratio` times the control's."""
    weighted = exposed_new * ratio
    return weighted / (weighted + exposed_control)


@dataclass(slots=True)
class Compared:
    """What was counted of both sides in a step, and which ratios that leaves possible.

    `likelihood` is the log of the ratio's conditional likelihood on GRID; `above` and `below` are the sums of the
    estimate by Mantel and Haenszel, stratified by tick.
    """

    exposed_new: int = 0
    exposed_control: int = 0
    events_new: int = 0
    events_control: int = 0
    above: float = 0.0
    below: float = 0.0
    likelihood: list[float] = field(default_factory=lambda: [0.0] * len(GRID))

    def count(self, exposed_new: int, exposed_control: int, events_new: int, events_control: int) -> None:
        """Add what there was of both sides."""
        self.exposed_new += exposed_new
        self.exposed_control += exposed_control
        self.events_new += events_new
        self.events_control += events_control

    def compare(self, exposed_new: int, exposed_control: int, events_new: int, events_control: int) -> None:
        """Learn of the ratio from exposures of the same time."""
        everybody, events = exposed_new + exposed_control, events_new + events_control
        self.above += events_new * exposed_control / everybody
        self.below += events_control * exposed_new / everybody
        if events:
            share = exposed_new / everybody
            self.likelihood = [
                before + events_new * log_ratio - events * math.log1p(share * rise)
                for before, log_ratio, rise in zip(self.likelihood, GRID, _RISES, strict=True)
            ]

    @property
    def ratio(self) -> float | None:
        """The estimated ratio new / control, None while the control has no event to compare with."""
        return self.above / self.below if self.below else None

    def interval(self, alpha: float) -> tuple[float | None, float | None]:
        """Return the ratios that a mixture over the grid has not refuted, None for an end beyond the grid.

        At any time the true ratio is inside with a chance of 1 - alpha at least. Ends are the first refuted points of
        the grid, so that rounding makes it wider only.
        """
        floor = log_mean_exp(self.likelihood) + math.log(alpha)
        kept = [at for at, log in enumerate(self.likelihood) if log > floor]
        low, high = kept[0] - 1, kept[-1] + 1
        return (math.exp(GRID[low]) if low >= 0 else None, math.exp(GRID[high]) if high < len(GRID) else None)


@dataclass(slots=True)
class RatioEvidence:
    """Evidence on the ratio of two rates: that it breaks `limit`, and that it is on the right side of `margin`.

    Harm is gathered over the whole rollout, and since each later step; safety in each step anew. A unit's first event
    of a step counts for what began with that step or later, its first event of all for what began at the start: so a
    long rollout of the same units does not run out of them. `pending` is what one side alone did since both were last
    seen: it is compared together with the other side's next exposures, which, as the sides of units are drawn by lot,
    does not favour either.
    """

    limit: float
    margin: float
    is_lower_better: bool
    harm: Wealth
    safe: Wealth
    step: Compared = field(default_factory=Compared)
    pending: Tick = NOTHING
    pending_ever: Tick = NOTHING

    @classmethod
    def of(cls, limit: float, margin: float, is_lower_better: bool, begins: int = 0) -> "RatioEvidence":
        """Begin without evidence, knowing how many later begins there may be."""
        return cls(limit, margin, is_lower_better, Wealth.of(STAKES, begins), Wealth.of(STAKES))

    @property
    def log_e_harm(self) -> float:
        """The log of the e-value against a ratio within the limit."""
        return self.harm.log_e

    def log_e_safe(self, factor: float = 1.0) -> float:
        """Return the log of the e-value against a ratio at the margin or beyond, for `factor` times this step."""
        return self.safe.log_e_at(factor)

    def begin(self) -> None:
        """Begin a step: its safety has to be shown anew, and nothing before it is compared with anything in it."""
        self.harm.begin()
        self.safe = Wealth.of(STAKES)
        self.step = Compared()
        self.pending = self.pending_ever = NOTHING

    def observe(self, tick: Tick, ever: Tick) -> None:
        """Take a tick of units without an event in this step yet; `ever`: of those of them without one before it."""
        self.step.count(*tick)
        self.pending, here = _comparable(self.pending.and_then(tick))
        worse = 1 if self.is_lower_better else -1
        if here is not None:
            self.step.compare(*here)
            self.harm.add(_gains_of(here, self.limit, worse), LATER)
            self.safe.add(_gains_of(here, self.margin, -worse))
        self.pending_ever, since_the_start = _comparable(self.pending_ever.and_then(ever))
        if since_the_start is not None:
            self.harm.add(_gains_of(since_the_start, self.limit, worse), FIRST)


def _comparable(tick: Tick) -> tuple[Tick, Tick | None]:
    """Return what still waits for the other side, and what can be compared."""
    return (NOTHING, tick) if tick.exposed_new and tick.exposed_control else (tick, None)


def _gains_of(tick: Tick, ratio: float, sign: int) -> list[float]:
    chance = chance_of_new(ratio, tick.exposed_new, tick.exposed_control)
    return gains(tick.events_new, tick.events_new + tick.events_control, chance, sign)


@dataclass(slots=True)
class RateEvidence:
    """Evidence on one rate: that it breaks `limit` (over the whole rollout), and that it keeps it (in this step)."""

    limit: float
    is_lower_better: bool
    harm: Wealth
    exposed: int = 0
    events: int = 0

    @classmethod
    def of(cls, limit: float, is_lower_better: bool, begins: int = 0) -> "RateEvidence":
        """Begin without evidence; `limit` is a share of exposures, above 0 and below 1."""
        return cls(limit, is_lower_better, Wealth.of(STAKES, begins))

    @property
    def log_e_harm(self) -> float:
        """The log of the e-value against a rate within the limit."""
        return self.harm.log_e

    def log_e_safe(self, factor: float = 1.0) -> float:
        """Return the log of the e-value against a rate at the limit or beyond, for `factor` times this step."""
        kept = -1 if self.is_lower_better else 1
        safe = Wealth.of(STAKES)
        safe.add(gains(self.events, self.exposed, self.limit, kept))
        return safe.log_e_at(factor)

    def begin(self) -> None:
        """Begin a step: its safety has to be shown anew."""
        self.harm.begin()
        self.exposed = self.events = 0

    def observe(self, tick: Tick, ever: Tick) -> None:
        """Take what a tick has of the new side, as `RatioEvidence` does."""
        self.exposed += tick.exposed_new
        self.events += tick.events_new
        worse = 1 if self.is_lower_better else -1
        self.harm.add(gains(tick.events_new, tick.exposed_new, self.limit, worse), LATER)
        self.harm.add(gains(ever.events_new, ever.exposed_new, self.limit, worse), FIRST)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Return the rates that hold at all times with 1 - alpha: those a uniform mixture has not refuted.

        The beta-binomial confidence sequence (Howard and others, Ann. Stat. 2021), in this step.
        """
        exposed, events = self.exposed, min(self.events, self.exposed)
        mixture = math.lgamma(1 + events) + math.lgamma(1 + exposed - events) - math.lgamma(2 + exposed)
        floor = mixture + math.log(alpha)
        peak = events / exposed if exposed else 0.5
        return (
            _crossing(events, exposed, floor, 0.0, peak) if events else 0.0,
            _crossing(events, exposed, floor, 1.0, peak) if events < exposed else 1.0,
        )


def _crossing(events: int, exposed: int, floor: float, refuted: float, kept: float) -> float:
    """Halve the way between a refuted rate and one that is not until they meet."""
    for _ in range(60):
        middle = (refuted + kept) / 2
        likelihood = events * math.log(middle) + (exposed - events) * math.log1p(-middle)
        refuted, kept = (refuted, middle) if likelihood > floor else (middle, kept)
    return refuted
