"""The lines that a rehearsal folds: invented as a scenario says, or drawn from stored calls."""

import math
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple, Protocol

from flags.bucketing import bucket_of
from rollouts.counters import CALL, kind_of
from rollouts.metrics import AGREEMENT
from rollouts.plan import Plan
from rollouts.scenario import Behaviour, Change, Scenario
from rollouts.seen import Seen

AGREEMENT_SPREAD = 0.1


class Chance(Protocol):
    """Chance, as `random.Random` has it."""

    def random(self) -> float:
        """Return a number from 0 to below 1."""
        ...

    def gauss(self, mu: float, sigma: float, /) -> float:
        """Return a normally distributed number."""
        ...

    def expovariate(self, lambd: float, /) -> float:
        """Return an exponentially distributed number with a mean of 1 / lambd."""
        ...


class Standing(NamedTuple):
    """What decides calls: the flag's version with the new side's share in hundred-thousandths, and the most it had."""

    flag_version: int
    weight: int
    highest: float


class Traffic(Protocol):
    """Where lines come from."""

    def between(self, start_s: float, end_s: float, standing: Standing) -> Sequence[Seen]:
        """Return what is seen in a span, in seconds after the start, in order."""
        ...


class Later:
    """Lines that are seen some time after their call."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Seen]] = []
        self._numbers = count()

    def add(self, line: Seen) -> None:
        """Keep a line until it is seen."""
        heappush(self._waiting, (line.seen_at, next(self._numbers), line))

    def until(self, at: float) -> Iterator[Seen]:
        """Take out what is seen before a time."""
        while self._waiting and self._waiting[0][0] < at:
            yield heappop(self._waiting)[2]


class Invented:
    """Traffic as a scenario describes it, with what the plan's gates look at."""

    def __init__(self, scenario: Scenario, plan: Plan, chance: Chance) -> None:
        self._scenario = scenario
        self._chance = chance
        self._salt = plan.flag
        self._kinds = {kind_of(gate.metric) for gate in plan.gates.values()}
        self._start = scenario.starts_at.timestamp()
        self._names = map(str, count(1))
        self._users = [self._user() for _ in range(scenario.users)]
        self._later = Later()
        self._changes: tuple[Change, ...] | None = None
        self._sides: tuple[_Draw, _Draw] | None = None

    def between(self, start_s: float, end_s: float, standing: Standing) -> Sequence[Seen]:
        """Return what is seen in a span, in seconds after the start, in order."""
        changes = tuple(change for change in self._scenario.changes if change.is_on(start_s, standing.highest))
        draws = self._draws(changes)
        rate = self._scenario.rate(start_s, changes)
        lines = [*self._calls(self._start + start_s, self._start + end_s, rate, standing, draws)] if rate else []
        lines.extend(self._later.until(self._start + end_s))
        lines.sort(key=lambda line: line.seen_at)
        return lines

    def _calls(
        self, at: float, end: float, rate: float, standing: Standing, draws: "tuple[_Draw, _Draw]"
    ) -> Iterator[Seen]:
        users, chance, version, weight = self._users, self._chance, standing.flag_version, standing.weight
        leaving = 1 / (self._scenario.calls_per_user or math.inf)
        while (at := at + chance.expovariate(rate)) < end:
            which = int(chance.random() * len(users))
            unit, bucket = users[which]
            is_new = bucket < weight
            yield draws[is_new].call(unit, is_new, version, at)
            if leaving and chance.random() < leaving:
                users[which] = self._user()

    def _draws(self, changes: tuple[Change, ...]) -> "tuple[_Draw, _Draw]":
        if self._sides is None or changes != self._changes:
            new, control = self._scenario.sides(changes)
            self._sides = self._draw(control), self._draw(new)
            self._changes = changes
        return self._sides

    def _draw(self, side: Behaviour) -> "_Draw":
        return _Draw(side, self._kinds, self._chance, self._later)

    def _user(self) -> tuple[str, int]:
        name = next(self._names)
        return name, bucket_of(self._salt, name)


class _Draw:
    """Calls of one side."""

    def __init__(self, side: Behaviour, kinds: AbstractSet[str], chance: Chance, later: Later) -> None:
        self._side = side
        self._agreement = side.agreement if AGREEMENT in kinds else None
        self._chance = chance
        self._later = later
        self._log_ms = math.log(side.latency_ms)
        self._reported = [(kind, reported) for kind, reported in side.outcomes.items() if kind in kinds]

    def call(self, unit: str, is_new: bool, version: int, at: float) -> Seen:
        """Draw a call, and what is reported of it later."""
        side, chance = self._side, self._chance
        is_error = chance.random() < side.error_rate
        is_fallback = is_error if side.fallback_rate is None else chance.random() < side.fallback_rate
        latency_ms = math.exp(chance.gauss(self._log_ms, side.latency_spread))
        is_hit = None if side.cache_hit_rate is None else chance.random() < side.cache_hit_rate
        cost = None if side.cost is None else side.cost * chance.expovariate(1.0)
        seen = Seen(unit, is_new, version, at, at, CALL, latency_ms, True, is_error, is_fallback, is_hit, cost)
        if self._agreement is not None:
            agreement = min(max(chance.gauss(self._agreement, AGREEMENT_SPREAD), 0.0), 1.0)
            self._later.add(_outcome(seen, AGREEMENT, agreement, 0.0))
        for kind, reported in self._reported:
            if chance.random() < reported.rate:
                value = chance.gauss(reported.value, reported.spread) if reported.spread else reported.value
                after_s = chance.expovariate(1 / reported.after_s) if reported.after_s else 0.0
                self._later.add(_outcome(seen, kind, value, after_s))
        return seen


def _outcome(call: Seen, kind: str, value: float, after_s: float) -> Seen:
    return Seen(call.unit, call.is_new, call.flag_version, call.decided_at, call.decided_at + after_s, kind, value)


class Stored(NamedTuple):
    """A call that was: seconds after the first one, and what was seen of it, later outcomes too."""

    at_s: float
    call: Seen
    outcomes: tuple[Seen, ...] = ()


class Replayed:
    """Stored calls by their time, again and again; what happened is drawn from those of the side the plan gives them.

    A call whose side is the plan's too is played as it was.
    """

    def __init__(self, stored: Sequence[Stored], starts_at: float, plan: Plan, chance: Chance) -> None:
        """Take calls in the order of their time, of both sides."""
        self._stored = stored
        self._of_side = {is_new: [each for each in stored if each.call.is_new is is_new] for is_new in (True, False)}
        self._start = starts_at
        self._salt = plan.flag
        self._chance = chance
        self._buckets: dict[str, int] = {}
        self._round_s = stored[-1].at_s * (1 + 1 / len(stored)) + 1e-3
        self._next = 0
        self._later = Later()

    def between(self, start_s: float, end_s: float, standing: Standing) -> Sequence[Seen]:
        """Return what is seen in a span, in seconds after the start, in order."""
        del start_s
        lines = [*self._calls(end_s, standing), *self._later.until(self._start + end_s)]
        lines.sort(key=lambda line: line.seen_at)
        return lines

    def _calls(self, end_s: float, standing: Standing) -> Iterator[Seen]:
        while True:
            rounds, which = divmod(self._next, len(self._stored))
            at_s = rounds * self._round_s + self._stored[which].at_s
            if at_s >= end_s:
                return
            self._next += 1
            yield self._played(self._stored[which], self._start + at_s, standing)

    def _played(self, stored: Stored, at: float, standing: Standing) -> Seen:
        unit = stored.call.unit
        bucket = self._buckets.get(unit)
        if bucket is None:
            bucket = self._buckets[unit] = bucket_of(self._salt, unit)
        is_new = bucket < standing.weight
        if is_new is not stored.call.is_new:
            others = self._of_side[is_new]
            stored = others[int(self._chance.random() * len(others))]
        for outcome in stored.outcomes:
            after_s = max(outcome.seen_at - stored.call.seen_at, 0.0)
            self._later.add(
                outcome._replace(
                    unit=unit, is_new=is_new, flag_version=standing.flag_version, decided_at=at, seen_at=at + after_s
                )
            )
        return stored.call._replace(
            unit=unit, is_new=is_new, flag_version=standing.flag_version, decided_at=at, seen_at=at
        )
