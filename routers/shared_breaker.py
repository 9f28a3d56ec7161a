"""A breaker that decides in its process, and acts as one with those of the same name in the fleet's others."""

import math
from collections.abc import Callable
from dataclasses import replace

from .breaker import FIRST_SHARE, WHOLE, Breaker, BreakerStatus, Permit, State, Transition
from .causes import Cause
from .fleet import Heard, News, Order, Told, rules_of
from .model import BreakerPolicy
from .shared_probes import SharedProbes
from .window import Counts

RUSH = 4
"""Failures are told at once when they are one part in so many of those that open."""

LEARNT_S = 10.0
"""Within what time all processes learn of a change of the route."""

REFUSING = frozenset({State.OPEN, State.HALF_OPEN})
ADMITTING = frozenset({State.CLOSED, State.SLOW_START})
FORCED = frozenset({State.FORCED_OPEN, State.FORCED_CLOSED})


class SharedBreaker(Breaker):
    """Judges by itself what it sees, and takes on what the fleet decides; nothing here waits for the fleet.

    What is to be told is taken by `tell`; then either `hear` the answer, or go on `alone`. `hurry` is called when
    the fleet should be told at once; it must not raise. `name` is the breaker's in the fleet.

    - Alone it is a breaker like any other, with probes of its own. What changes meanwhile is told afterwards: the later
      change counts.
    - With the fleet, an own trip opens at once and is told; a trial is the fleet's, and its probes are given out to
      processes ahead of the calls.
    - An order of a person is in force here at once, and told until the fleet has heard it; the later order counts.
    """

    __slots__ = (
        "_fleet_era",
        "_heard",
        "_hears",
        "_hurry",
        "_made_at",
        "_news",
        "_order",
        "_rush",
        "_slow_rush",
        "_told",
        "_told_order",
        "_trial",
        "_why",
        "name",
        "rules",
    )

    def __init__(
        self,
        policy: BreakerPolicy,
        chance: Callable[[], float],
        observe: Callable[[Transition], None],
        name: str,
        hurry: Callable[["SharedBreaker"], None],
    ) -> None:
        super().__init__(policy, chance, observe)
        self.name = name
        self.rules = rules_of(policy)
        self._hurry = hurry
        self._rush = max(1, policy.minimum_calls // RUSH)
        self._slow_rush = max(1, policy.minimum_slow_calls // RUSH)
        self._probes = self._trial = SharedProbes(policy)
        self._fleet_era = 0
        self._made_at: float | None = None
        self._heard: Heard | None = None
        self._hears = False
        self._news = News.NONE
        self._order: tuple[State, float] | None = None
        self._told_order: tuple[State, float] | None = None
        self._why = ""
        self._told = self._window.ever

    @property
    def is_alone(self) -> bool:
        """Whether the fleet is out of reach, so that this process goes by what it sees itself."""
        return self._trial.is_alone

    @property
    def is_shared(self) -> bool:
        """Whether it is the fleet's: the fleet is within reach, and knows of every order given here."""
        return not self.is_alone and self._order is None and self._told_order is None

    def status(self, now: float) -> BreakerStatus:
        """What people and metrics want to know; with the fleet, the counts are those of all its processes."""
        status, heard = super().status(now), self._heard
        if self.is_alone or heard is None:
            return status
        more = self._untold()
        calls, failures = heard.calls + more.calls, heard.failures + more.failures
        slow_calls = heard.slow_calls + more.slow_calls
        return replace(
            status,
            calls=calls,
            failures=failures,
            slow_calls=slow_calls,
            failure_rate=failures / (calls or 1),
            slow_call_rate=slow_calls / (calls or 1),
        )

    def force_open(self, now: float) -> None:
        """Refuse every call until told otherwise."""
        super().force_open(now)
        self._order_is(State.FORCED_OPEN, now)

    def force_closed(self, now: float) -> None:
        """Admit every call until told otherwise; results are counted and judged by nobody."""
        super().force_closed(now)
        self._order_is(State.FORCED_CLOSED, now)

    def reset(self, now: float) -> None:
        """Go back to the closed state with nothing remembered."""
        super().reset(now)
        self._order_is(State.CLOSED, now)

    def forced(self) -> tuple[State, float] | None:
        """What a person forced upon it and since when, or None."""
        return (self._state, self._since) if self._state in FORCED else None

    def take_place_of(self, before: "SharedBreaker", now: float) -> None:
        """Hold on to what a person forced upon the breaker of another address or policy, and to nothing else."""
        self._made_at = now
        forced = before.forced()
        if forced is not None:
            self._force(forced[0], now)
            self._order = forced

    def tell(self, now: float) -> Told:
        """What the fleet is to know, each thing once."""
        self._catch_up(now)
        order = self._told_order = self._order or self._told_order
        results, unused, wanted = self._trial.news(now)
        untold = self._untold()
        is_open = self._state is State.OPEN
        told = Told(
            era=self._fleet_era,
            news=self._news,
            state=self._state,
            age_s=max(0.0, now - self._since),
            left_s=max(0.0, self._open_until - now) if is_open else 0.0,
            wait_s=self._wait,
            openings=self._openings,
            why=self._why,
            order=order and Order(order[0], max(0.0, now - order[1])),
            calls=untold.calls,
            failures=untold.failures,
            slow_calls=untold.slow_calls,
            results=results,
            unused=unused,
            wanted=wanted,
            chance=self._chance(),
        )
        self._told = self._window.ever
        self._news, self._order = News.NONE, None
        return told

    def hear(self, heard: Heard, *, asked: float, now: float) -> None:
        """Take on what the fleet answered to what was told at `asked`."""
        self._catch_up(now)
        self._trial.is_alone = False
        self._told_order = None
        moved, first = heard.era != self._fleet_era, self._fleet_era == 0
        self._fleet_era, self._heard = heard.era, heard
        if self._order is not None or (self._news is News.TRIP and not moved):
            # what has happened here since is newer than the answer; the fleet is told of it next
            return
        self._news = News.NONE
        if first and self._is_of_old(heard, now):
            self.reset(now)
            return
        is_news = moved and not (first and self._state is heard.state is State.CLOSED)
        if is_news or not _are_alike(self._state, heard.state):
            self._follow(heard, now)
        self._openings, self._wait = heard.openings, heard.wait_s
        if self._state is State.HALF_OPEN:
            self._trial.put_at_hand(heard.probes, asked)

    def alone(self, now: float) -> None:
        """Go on without the fleet, which may or may not know what it was told."""
        self._catch_up(now)
        self._order = self._order or self._told_order
        self._told_order = None
        if self.is_alone:
            return
        self._trial.is_alone = True
        if self._state is State.OPEN and self._heard and self._heard.state in ADMITTING:
            self._news = News.CHANGE
        if self._state is State.HALF_OPEN:
            self._probes.restart()
            super()._enter(State.HALF_OPEN, now, "the fleet is out of reach")

    def _permit_of_few(self, now: float) -> Permit | Cause:
        answer = super()._permit_of_few(now)
        waits = answer is Cause.BREAKER_OPEN and self._state is State.HALF_OPEN and not self.is_alone
        if waits and self._trial.want():
            self._hurry(self)
        return answer

    def release(self, permit: Permit) -> None:
        """Take back the permit of a call that proved nothing: cancelled, or refused through its caller's fault."""
        super().release(permit)
        if permit.probe:
            self._hurry(self)

    def _trip(self, now: float, why: str) -> None:
        super()._trip(now, why)
        if self._state is State.OPEN and not self.is_alone:
            self._news = News.TRIP
        self._hurry(self)

    def _enter(self, state: State, now: float, why: str, *, era: int | None = None) -> None:
        before = self._era
        super()._enter(state, now, why, era=era)
        self._why = why
        if self._era != before:
            self._told = self._window.ever
        if self.is_alone and not self._hears:
            self._news = News.CHANGE

    def _is_of_old(self, heard: Heard, now: float) -> bool:
        """Whether the fleet speaks of the time before the address or policy was changed, and changed back."""
        age_s = math.inf if self._made_at is None else now - self._made_at + LEARNT_S
        return heard.state is not State.CLOSED and heard.age_s > age_s

    def _judge_window(self, now: float) -> None:
        super()._judge_window(now)
        untold = self._untold()
        if untold.failures >= self._rush or untold.slow_calls >= self._slow_rush:
            self._hurry(self)

    def _judge_probes(self, now: float) -> None:
        super()._judge_probes(now)
        self._hurry(self)

    def _untold(self) -> Counts:
        """What ended in this era and was not told yet."""
        ever, told = self._window.ever, self._told
        return Counts(ever.calls - told.calls, ever.failures - told.failures, ever.slow_calls - told.slow_calls)

    def _order_is(self, state: State, now: float) -> None:
        self._order = state, now
        self._hurry(self)

    def _follow(self, heard: Heard, now: float) -> None:
        """Be what the fleet is, since when it is."""
        if heard.state is not State.OPEN:
            self._window.clear()
        self._probes.restart()
        self._credit = WHOLE - FIRST_SHARE
        self._openings = heard.openings
        self._open_until = now + heard.left_s
        self._hears = True
        self._enter(heard.state, now, heard.why)
        self._hears = False
        self._since = now - heard.age_s


def _are_alike(here: State, fleet: State) -> bool:
    """Whether time alone may lie between two states of one era."""
    return here is fleet or {here, fleet} <= REFUSING or {here, fleet} <= ADMITTING
