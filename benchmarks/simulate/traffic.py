"""Made traffic, tick by tick: who called, which side had him, and what went wrong for the first time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rollouts.sequential import Tick

TICK = 500
"""Requests between two looks."""


class Moment(NamedTuple):
    """What came in a tick of a step: of units without an event in the step, and of those without one before it too."""

    step: int
    here: Tick
    ever: Tick


@dataclass(frozen=True, slots=True)
class Schedule:
    """The new side's share, step by step, and how the base rate grows from the begin to the end."""

    name: str
    shares: tuple[float, ...]
    growth: float = 1.0


RAMP = Schedule("10/25/50 %, base rate doubling", (0.10, 0.25, 0.50), 2.0)
TENTH = Schedule("10 %", (0.10,))
HALF = Schedule("50 %", (0.50,))
SCHEDULES = (RAMP, TENTH, HALF)


@dataclass(frozen=True, slots=True)
class Rates:
    """Traffic whose requests go wrong at a rate: `ratio` times as often on the new side.

    With one request per unit every request is somebody new. Else units call at random, `calls` times each on average;
    their rates are gamma-distributed around `base`, and only what comes up to a unit's first event counts.
    """

    schedule: Schedule
    base: float
    ratio: float
    calls: int = 1
    requests: int = 60_000
    tick: int = TICK
    shape: float = 2.0

    def play(self, rng: np.random.Generator) -> Iterator[Moment]:
        """Yield the ticks of one run."""
        return self._strangers(rng) if self.calls == 1 else self._users(rng)

    def _moments(self) -> Iterator[tuple[int, float, float]]:
        """Yield, for each tick, its step, the new side's share and the base rate."""
        ticks, steps = self.requests // self.tick, len(self.schedule.shares)
        for at in range(ticks):
            step = at * steps // ticks
            yield step, self.schedule.shares[step], self.base * (1 + (self.schedule.growth - 1) * at / ticks)

    def _strangers(self, rng: np.random.Generator) -> Iterator[Moment]:
        for step, share, rate in self._moments():
            new = int(rng.binomial(self.tick, share))
            bad_new, bad_control = rng.binomial((new, self.tick - new), (min(rate * self.ratio, 1.0), rate))
            tick = Tick(new, self.tick - new, int(bad_new), int(bad_control))
            yield Moment(step, tick, tick)

    def _users(self, rng: np.random.Generator) -> Iterator[Moment]:
        users = self.requests // self.calls
        bucket, frailty = rng.random(users), rng.gamma(self.shape, 1 / self.shape, users)
        at_risk, never = np.ones(users, dtype=bool), np.ones(users, dtype=bool)
        order, before = np.arange(self.tick), 0
        for step, share, rate in self._moments():
            if step > before:
                before, at_risk = step, np.ones(users, dtype=bool)
            called = rng.integers(0, users, self.tick)
            is_new = bucket[called] < share
            is_bad = rng.random(self.tick) < rate * frailty[called] * np.where(is_new, self.ratio, 1.0)
            first_bad = np.full(users, self.tick)
            np.minimum.at(first_bad, called[is_bad], order[is_bad])
            up_to_first = order <= first_bad[called]
            here, ever = at_risk[called] & up_to_first, never[called] & up_to_first
            yield Moment(step, _tick(here, is_new, is_bad), _tick(ever, is_new, is_bad))
            at_risk[called[here & is_bad]] = False
            never[called[here & is_bad]] = False


def _tick(counts: np.ndarray, is_new: np.ndarray, is_bad: np.ndarray) -> Tick:
    bad = counts & is_bad
    sides = (counts & is_new, counts & ~is_new, bad & is_new, bad & ~is_new)
    return Tick(*(int(np.count_nonzero(side)) for side in sides))
