"""E-processes as wealth: bets against a null hypothesis that make nobody rich while it holds.

Ville: under the null the chance that wealth 1 ever becomes 1 / alpha is alpha at most, however often one looks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FROM_THE_START = 0.8
"""The share of wealth that is bet from the start on; the rest waits for later begins."""

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
TILTS = tuple(math.log(ratio) for ratio in RATIOS)
"""How much likelier, in logs of odds, an event is than under the null: one bet on each."""

STAKES = (0.05, 0.10, 0.35, 0.35, 0.10, 0.05)
"""Which share of the wealth goes on which bet: most on what breaks a limit without being seen at a glance."""

EVERY, FIRST, LATER = slice(None), slice(1), slice(1, None)
"""Which runs are meant: all, the one since the start, or those of later begins."""

_RISES = {sign: tuple(math.expm1(sign * tilt) for tilt in TILTS) for sign in (1, -1)}
_MOST = 700.0


def log_mean_exp(logs: Sequence[float]) -> float:
    """Return the log of the mean of numbers given by their logs."""
    return log_sum_exp(logs) - math.log(len(logs))


def log_sum_exp(logs: Sequence[float]) -> float:
    """Return the log of the sum of numbers given by their logs."""
    highest = max(logs)
    return highest + math.log(math.fsum(math.exp(log - highest) for log in logs))


def e_value(log: float) -> float:
    """Return what may be compared with 1 / alpha; a finite number, as JSON has no other."""
    return math.exp(min(log, _MOST))


def gains(hits: int, trials: int, chance: float, sign: int) -> list[float]:
    """Return by how much the log of each bet grows when `hits` of `trials` came, each with `chance` under the null.

    `sign` 1 bets on more hits than that, -1 on fewer. That bets do not win on average needs no more than trials whose
    expected hits, given the past, are on the null's side of `chance`.
    """
    return [
        sign * tilt * hits - trials * math.log1p(chance * rise) for tilt, rise in zip(TILTS, _RISES[sign], strict=True)
    ]


def mixed(logs: Sequence[float], begins: int) -> float:
    """Return the log of the wealth of processes of which the first began at the start, the others at later begins.

    Each of the `begins` has an equal part of what did not go into the first; it lies idle until then.
    """
    if not begins:
        return logs[0]
    each = math.log((1 - FROM_THE_START) / begins)
    idle = [0.0] * (begins - len(logs) + 1)
    return log_sum_exp([math.log(FROM_THE_START) + logs[0], *(each + log for log in (*logs[1:], *idle))])


@dataclass(slots=True)
class Wealth:
    """Bets that are begun again at later steps, so that a new step is not blind after a long good one.

    `stakes` are the logs of the shares that were put on each bet; `runs` are the logs by which each has grown, by
    begin. There are `begins` later ones at most; those beyond are left out, which costs power and no validity.
    """

    stakes: list[float]
    runs: list[list[float]]
    begins: int

    @classmethod
    def of(cls, shares: Sequence[float], begins: int = 0) -> "Wealth":
        """Put shares of the wealth, 1 in sum, on bets."""
        return cls([math.log(share) for share in shares], [[0.0] * len(shares)], begins)

    @property
    def log_e(self) -> float:
        """The log of the e-value."""
        return mixed([self._worth(run, 1.0) for run in self.runs], self.begins)

    def log_e_at(self, factor: float) -> float:
        """Return what the log of the e-value since the start would be, had the same come `factor` times."""
        return self._worth(self.runs[0], factor)

    def add(self, growth: Sequence[float], to: slice = EVERY) -> None:
        """Let each bet's log grow by its part, in the runs that are meant."""
        for run in self.runs[to]:
            run[:] = [log + gain for log, gain in zip(run, growth, strict=True)]

    def begin(self) -> None:
        """Begin again, beside what goes on; a begin of which nothing came yet serves as the new one."""
        if any(self.runs[-1]) and len(self.runs) <= self.begins:
            self.runs.append([0.0] * len(self.stakes))

    def _worth(self, run: Sequence[float], factor: float) -> float:
        return log_sum_exp([stake + factor * log for stake, log in zip(self.stakes, run, strict=True)])
