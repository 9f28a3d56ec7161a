"""When a backend is left alone because it fails, and how it is trusted again."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from .causes import Cause
from .model import BreakerPolicy
from .probes import Probes
from .window import Window

JITTER = 0.25
"""By how much, at most, chance lengthens a wait, so that processes which opened together do not probe together."""

WHOLE = 100_000
"""All calls, in the hundred-thousandths in which slow start counts shares."""

FIRST_SHARE = 10_000
"""The share of calls that slow start begins with."""


class State(StrEnum):
    """What a breaker does with the next call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    SLOW_START = "slow_start"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"


class Permit(NamedTuple):
    """What a caller holds on the way; `number` tells the probes of one era apart, `fell_back` is its lane's."""

    era: int
    probe: bool = False
    number: int = 0
    fell_back: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state, as it happened."""

    before: State
    after: State
    at: float
    why: str


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """A breaker at one moment; rates and shares are 0 to 1, `open_until` is in the unit of `now`.

    The three counts and two rates are those of the window, or of the probes while half-open. `share` is the part
    of calls admitted: 0 while half-open too, where it is a number of calls and not a part of them.
    """

    state: State
    era: int
    calls: int
    failures: int
    slow_calls: int
    failure_rate: float
    slow_call_rate: float
    open_until: float | None
    retry_after_s: float | None
    openings: int
    share: float


class Breaker:
    """One backend's breaker: asked for a permit before a call, told how the call went after it.

    `now` is seconds on a monotonic clock, `chance()` is uniform in [0, 1). What time alone brings about happens at the
    next question, whatever it is. `observe` is called last, when the change is complete; it must not raise.

    - It opens when `minimum_calls` in the window ended and `failure_rate` of them failed; or when `slow_call_rate` of
      them were slow, of which there must be `minimum_slow_calls`, so that a few slow calls among a few never open it.
    - An open wait is `open_s`, doubled with every opening in a row, lengthened by chance, at most `open_max_s`.
      Openings are in a row until the breaker has been closed as long as its last wait, and as the window.
    - After the wait it is half-open: see `Probes`. After that, slow start admits a share of the calls that grows from a
      tenth to all within `slow_start_s`, evenly spread and without chance, under the rules of the closed state.
    - An era begins with every change but the end of slow start. A permit of an older era changes nothing.
    - Nothing but `force_open`, `force_closed` and `reset` leaves a forced state.
    """

    __slots__ = (
        "_chance",
        "_credit",
        "_era",
        "_failure_rate",
        "_observe",
        "_open_until",
        "_openings",
        "_ordinary",
        "_policy",
        "_probes",
        "_since",
        "_slow_call_rate",
        "_slow_from",
        "_state",
        "_unlimited",
        "_wait",
        "_window",
    )

    def __init__(
        self, policy: BreakerPolicy, chance: Callable[[], float], observe: Callable[[Transition], None]
    ) -> None:
        self._policy = policy
        self._chance = chance
        self._observe = observe
        self._window = Window(policy.window_s)
        self._probes = Probes(policy)
        self._failure_rate = policy.failure_rate
        self._slow_call_rate = policy.slow_call_rate
        self._slow_from = math.inf if policy.slow_call_ms is None else policy.slow_call_ms / 1000
        self._state = State.CLOSED
        self._unlimited = True
        self._era = 1
        self._ordinary = Permit(1)
        self._since = 0.0
        self._openings = 0
        self._wait = 0.0
        self._open_until = 0.0
        self._credit = 0

    def permit(self, now: float) -> Permit | Cause:
        """A permit, or the cause of the refusal; each permit is to come back by `record` or by `release`, once."""
        if self._unlimited:
            return self._ordinary
        return self._permit_of_few(now)

    def record(self, permit: Permit, *, ok: bool, seconds: float, now: float) -> None:
        """Count the result of a call that took `seconds`."""
        if permit.era != self._era:
            return
        slow = seconds > self._slow_from
        if permit.probe:
            self._probes.count(permit.number, failed=not ok, slow=slow)
            self._judge_probes(now)
            return
        window = self._window
        window.add(now, failed=not ok, slow=slow)
        if window.failures or window.slow_calls:
            self._judge_window(now)

    def release(self, permit: Permit) -> None:
        """Take back the permit of a call that proved nothing: cancelled, or refused through its caller's fault."""
        if permit.probe and permit.era == self._era:
            self._probes.give_back(permit.number)

    def admits(self, now: float) -> bool:
        """Whether `permit` would give one now."""
        return self.refusal(now) is None

    def refusal(self, now: float) -> Cause | None:
        """Why `permit` would refuse now, or None; takes nothing."""
        return None if self._unlimited else self._refusal_of_few(now)

    def _refusal_of_few(self, now: float) -> Cause | None:
        self._catch_up(now)
        if self._state is State.HALF_OPEN:
            return None if self._probes.has_room(now) else Cause.BREAKER_OPEN
        if self._state is State.SLOW_START:
            return None if self._credit + self._share(now) >= WHOLE else Cause.SLOW_START
        return None if self._unlimited else Cause.BREAKER_OPEN

    @property
    def is_held_open(self) -> bool:
        """Whether a person holds it open."""
        return self._state is State.FORCED_OPEN

    def force_open(self, now: float) -> None:
        """Refuse every call until told otherwise."""
        self._force(State.FORCED_OPEN, now)

    def force_closed(self, now: float) -> None:
        """Admit every call until told otherwise; results are counted and judged by nobody."""
        self._force(State.FORCED_CLOSED, now)

    def reset(self, now: float) -> None:
        """Go back to the closed state with nothing remembered."""
        self._openings = 0
        self._window.clear()
        self._enter(State.CLOSED, now, "reset")

    def status(self, now: float) -> BreakerStatus:
        """What people and metrics want to know."""
        self._catch_up(now)
        self._window.slide(now)
        counts = self._probes if self._state is State.HALF_OPEN else self._window
        calls = counts.calls or 1
        is_open = self._state is State.OPEN
        return BreakerStatus(
            state=self._state,
            era=self._era,
            calls=counts.calls,
            failures=counts.failures,
            slow_calls=counts.slow_calls,
            failure_rate=counts.failures / calls,
            slow_call_rate=counts.slow_calls / calls,
            open_until=self._open_until if is_open else None,
            retry_after_s=self._open_until - now if is_open else None,
            openings=self._openings,
            share=self._share(now) / WHOLE,
        )

    def _catch_up(self, now: float) -> None:
        """Make the change that time alone has made due."""
        if self._state is State.OPEN and now >= self._open_until:
            self._probes.restart()
            self._enter(State.HALF_OPEN, now, "the wait is over")
        elif self._state is State.SLOW_START and now - self._since >= self._policy.slow_start_s:
            self._enter(State.CLOSED, now, "slow start went well", era=self._era)
        elif self._openings and self._is_settled(now):
            self._openings = 0

    def _permit_of_few(self, now: float) -> Permit | Cause:
        self._catch_up(now)
        if self._state is State.HALF_OPEN and self._probes.has_room(now):
            return Permit(self._era, probe=True, number=self._probes.take(now))
        if self._state is State.SLOW_START:
            return self._ration(now)
        return self._ordinary if self._unlimited else Cause.BREAKER_OPEN

    def _ration(self, now: float) -> Permit | Cause:
        """Save the share up call by call; whenever it makes a whole, a call is admitted."""
        self._credit += self._share(now)
        if self._credit < WHOLE:
            return Cause.SLOW_START
        self._credit -= WHOLE
        return self._ordinary

    def _share(self, now: float) -> int:
        """How many hundred-thousandths of the calls are admitted."""
        if self._state is State.SLOW_START:
            grown = max(0.0, now - self._since) / self._policy.slow_start_s
            return FIRST_SHARE + int((WHOLE - FIRST_SHARE) * grown)
        return WHOLE if self._unlimited else 0

    def _judge_window(self, now: float) -> None:
        window, policy = self._window, self._policy
        calls, failures, slow_calls = window.calls, window.failures, window.slow_calls
        if failures / calls >= self._failure_rate and calls >= policy.minimum_calls:
            self._trip(now, f"{failures} of {calls} calls failed")
        elif slow_calls / calls >= self._slow_call_rate and slow_calls >= policy.minimum_slow_calls:
            self._trip(now, f"{slow_calls} of {calls} calls were slow")

    def _trip(self, now: float, why: str) -> None:
        if self._state is not State.FORCED_CLOSED:
            self._open(now, why)

    def _judge_probes(self, now: float) -> None:
        probes = self._probes
        found = f"of {probes.calls} probes {probes.failures} failed and {probes.slow_calls} were slow"
        if probes.are_lost():
            self._open(now, found)
        elif probes.are_won():
            self._window.clear()
            self._credit = WHOLE - FIRST_SHARE
            self._enter(State.SLOW_START if self._policy.slow_start_s else State.CLOSED, now, found)

    def _open(self, now: float, why: str) -> None:
        policy = self._policy
        self._catch_up(now)
        self._openings += 1
        doubled = policy.open_s * 2.0 ** min(self._openings - 1, 60)
        # the longest wait leaves room for chance too: at the cap, processes must not fall into step
        base = min(doubled, max(policy.open_s, policy.open_max_s / (1 + JITTER)))
        self._wait = min(base * (1 + JITTER * self._chance()), policy.open_max_s)
        self._open_until = now + self._wait
        self._enter(State.OPEN, now, why)

    def _is_settled(self, now: float) -> bool:
        """Whether the openings so far are history."""
        return self._state is State.CLOSED and now - self._since >= max(self._wait, self._policy.window_s)

    def _force(self, state: State, now: float) -> None:
        self._catch_up(now)
        if self._state is not state:
            self._window.clear()
            self._enter(state, now, "forced")

    def _enter(self, state: State, now: float, why: str, *, era: int | None = None) -> None:
        before = self._state
        self._state = state
        self._unlimited = state in {State.CLOSED, State.FORCED_CLOSED}
        self._since = now
        self._era = era or self._era + 1
        self._ordinary = Permit(self._era)
        if state is not before:
            self._observe(Transition(before, state, now, why))
