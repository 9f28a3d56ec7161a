"""Evidence on the mean of values from 0 to 1: exact at any number of values, however they are distributed.

Bets as in Waudby-Smith and Ramdas, JRSS B 2024, arXiv 2010.09686; the interval is their empirical Bernstein one
(theorem 2). In place of a bet that is tuned to what came, several fixed ones run side by side: so their order does not
matter, and evidence can be begun again.
"""

import math
from dataclasses import dataclass

from rollouts.wealth import Wealth

LOSSES = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 7 / 8)
"""Which share of its wealth a bet loses in the worst case; each has the same to begin with."""

_SHARES = (1 / len(LOSSES),) * len(LOSSES)

INTERVAL_ALPHA = 0.05
_MOST_BET = 0.5
_LEAST_ROOM = 0.01


@dataclass(slots=True)
class Bernstein:
    """The predictable plug-in empirical Bernstein confidence sequence, at INTERVAL_ALPHA."""

    count: int = 0
    total: float = 0.0
    deviations: float = 0.0
    bets: float = 0.0
    bet_on: float = 0.0
    penalty: float = 0.0

    def add(self, value: float) -> None:
        """Bet on a value with what was known before it."""
        mean = (0.5 + self.total) / (self.count + 1)
        variance = (0.25 + self.deviations) / (self.count + 1)
        self.count += 1
        steps = variance * self.count * math.log1p(self.count)
        bet = min(math.sqrt(2 * math.log(2 / INTERVAL_ALPHA) / steps), _MOST_BET)
        self.bets += bet
        self.bet_on += bet * value
        self.penalty += (value - mean) ** 2 * (-math.log1p(-bet) - bet)
        self.total += value
        self.deviations += (value - (0.5 + self.total) / (self.count + 1)) ** 2

    def interval(self) -> tuple[float, float]:
        """Return the means that are possible at any time."""
        if not self.count:
            return 0.0, 1.0
        centre = self.bet_on / self.bets
        reach = (math.log(2 / INTERVAL_ALPHA) + self.penalty) / self.bets
        return max(centre - reach, 0.0), min(centre + reach, 1.0)

    @property
    def mean(self) -> float | None:
        """The values' mean, None without any."""
        return self.total / self.count if self.count else None


@dataclass(slots=True)
class BoundedEvidence:
    """Evidence on a mean: that it breaks `limit` (over the whole rollout), and that it keeps it (in this step)."""

    limit: float
    is_lower_better: bool
    harm: Wealth
    safe: Wealth
    step: Bernstein

    @classmethod
    def of(cls, limit: float, is_lower_better: bool, begins: int = 0) -> "BoundedEvidence":
        """Begin without evidence; `limit` is from 0 to 1."""
        return cls(limit, is_lower_better, Wealth.of(_SHARES, begins), Wealth.of(_SHARES), Bernstein())

    @property
    def log_e_harm(self) -> float:
        """The log of the e-value against a mean within the limit."""
        return self.harm.log_e

    def log_e_safe(self, factor: float = 1.0) -> float:
        """Return the log of the e-value against a mean at the limit or beyond, for `factor` times this step."""
        return self.safe.log_e_at(factor)

    def begin(self) -> None:
        """Begin a step: its safety has to be shown anew."""
        self.harm.begin()
        self.safe = Wealth.of(_SHARES)
        self.step = Bernstein()

    def add(self, value: float) -> None:
        """Take a unit's value; what lies outside 0 to 1 counts as the nearer end."""
        inside = min(max(value, 0.0), 1.0)
        worse = 1 if self.is_lower_better else -1
        self.harm.add(self._gains(inside, worse))
        self.safe.add(self._gains(inside, -worse))
        self.step.add(inside)

    def _gains(self, value: float, sign: int) -> list[float]:
        """Return the growth of the logs of bets on a mean above (1) or below (-1) the limit."""
        room = max(self.limit if sign > 0 else 1 - self.limit, _LEAST_ROOM)
        return [math.log1p(sign * loss / room * (value - self.limit)) for loss in LOSSES]
