"""What the breaker should be, written for its obviousness."""

import math
from dataclasses import dataclass, field
from fractions import Fraction

from routers.breaker import Permit, State

Result = tuple[bool, bool]
GOOD, AWFUL = (False, False), (True, True)
UNLIMITED = {State.CLOSED, State.FORCED_CLOSED}


@dataclass
class NaiveBreaker:
    """A breaker that keeps every event and counts anew each time; results are (failed, slow)."""

    rates: tuple[Fraction, Fraction]
    policy: dict[str, int]
    state: State = State.CLOSED
    era: int = 1
    since: float = 0.0
    openings: int = 0
    wait: float = 0.0
    calls: list[tuple[int, Result]] = field(default_factory=list)
    trial: list[Result] = field(default_factory=list)
    leases: dict[Permit, float] = field(default_factory=dict)

    def enter(self, state: State, now: float) -> None:
        """Change state; whatever is counted from here on is counted anew."""
        if state is State.HALF_OPEN:
            self.trial, self.leases = [], {}
        elif state is not State.OPEN:
            self.calls = []
        self.era += 1
        self.state, self.since = state, now

    def pass_time(self, now: float) -> None:
        """Do what the clock alone does."""
        if self.state is State.OPEN and now >= self.since + self.wait:
            self.enter(State.HALF_OPEN, now)
        elif self.state is State.SLOW_START and now >= self.since + self.policy["slow_start_s"]:
            self.state, self.since = State.CLOSED, now
        self.leases = {permit: until for permit, until in self.leases.items() if until > now}
        if self.is_settled(now):
            self.openings = 0

    def is_settled(self, now: float) -> bool:
        """Whether the openings so far no longer make the next wait longer."""
        return self.state is State.CLOSED and now - self.since >= max(self.wait, self.policy["window_s"])

    def inside(self, now: float) -> list[Result]:
        """The results in the window."""
        return [result for second, result in self.calls if second > math.floor(now) - self.policy["window_s"]]

    def counted(self, now: float) -> list[Result]:
        """The results the status speaks of."""
        return self.trial if self.state is State.HALF_OPEN else self.inside(now)

    def fails_the_window(self, now: float) -> bool:
        """Whether the window's results open the breaker."""
        results = self.inside(now)
        failed, slow = (sum(result[kind] for result in results) for kind in (0, 1))
        fails = len(results) >= self.policy["minimum_calls"] and Fraction(failed, len(results)) >= self.rates[0]
        drags = slow >= self.policy["minimum_slow_calls"] and Fraction(slow, len(results)) >= self.rates[1]
        return fails or drags

    def fails_the_trial(self, rest: Result) -> bool:
        """Whether the trial is lost if all probes still to come end like `rest`."""
        asked = self.policy["probes"]
        results = self.trial + [rest] * (asked - len(self.trial))
        failed, slow = (Fraction(sum(result[kind] for result in results), asked) for kind in (0, 1))
        return failed >= min(self.rates[0], Fraction(1, 2)) or (
            bool(self.policy["slow_call_ms"]) and slow >= self.rates[1]
        )

    def admits(self) -> bool:
        """Whether a call is admitted now; in slow start, where shares are counted, never asked."""
        has_room = len(self.leases) + len(self.trial) < self.policy["probes"]
        return self.state in UNLIMITED or (self.state is State.HALF_OPEN and has_room)

    def end(self, permit: Permit, result: Result, now: float) -> bool:
        """Take in one result of the present era; says whether it opens the breaker."""
        if not permit.probe:
            self.calls.append((math.floor(now), result))
            return self.state is not State.FORCED_CLOSED and self.fails_the_window(now)
        self.leases.pop(permit, None)
        self.trial.append(result)
        if not self.fails_the_trial(GOOD) and not self.fails_the_trial(AWFUL):
            self.enter(State.SLOW_START if self.policy["slow_start_s"] else State.CLOSED, now)
            return False
        return self.fails_the_trial(GOOD)
