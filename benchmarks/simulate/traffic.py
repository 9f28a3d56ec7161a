"""Made traffic, tick by tick: who called, which side had him, and what went wrong for the first time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

TICK = 500
"""Requests between two looks."""


class Tick(NamedTuple):
    """What came in a tick: exposures of units at risk, and their first events, by side."""

    step: int
    exposed_new: int
    exposed_control: int
    events_new: int
    events_control: int


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

    def play(self, rng: np.random.Generator) -> Iterator[Tick]:
        """Yield the ticks of one run."""
        return self._strangers(rng) if self.calls == 1 else self._users(rng)

    def _moments(self) -> Iterator[tuple[int, float, float]]:
        """Yield, for each tick, its step, the new side's share and the base rate."""
        ticks, steps = self.requests // self.tick, len(self.schedule.shares)
        for at in range(ticks):
            step = at * steps // ticks
            yield step, self.schedule.shares[step], self.base * (1 + (self.schedule.growth - 1) * at / ticks)

    def _strangers(self, rng: np.random.Generator) -> Iterator[Tick]:
        for step, share, rate in self._moments():
            new = int(rng.binomial(self.tick, share))
            bad_new, bad_control = rng.binomial((new, self.tick - new), (min(rate * self.ratio, 1.0), rate))
            yield Tick(step, new, self.tick - new, int(bad_new), int(bad_control))

    def _users(self, rng: np.random.Generator) -> Iterator[Tick]:
        users = self.requests // self.calls
        bucket, frailty = rng.random(users), rng.gamma(self.shape, 1 / self.shape, users)
        at_risk = np.ones(users, dtype=bool)
        order = np.arange(self.tick)
        for step, share, rate in self._moments():
            called = rng.integers(0, users, self.tick)
            is_new = bucket[called] < share
            is_bad = rng.random(self.tick) < rate * frailty[called] * np.where(is_new, self.ratio, 1.0)
            first_bad = np.full(users, self.tick)
            np.minimum.at(first_bad, called[is_bad], order[is_bad])
            counts = at_risk[called] & (order <= first_bad[called])
            counted_bad = counts & is_bad
            yield Tick(
                step,
                *(
                    int(np.count_nonzero(each))
                    for each in (counts & is_new, counts & ~is_new, counted_bad & is_new, counted_bad & ~is_new)
                ),
            )
            at_risk[called[counted_bad]] = False
