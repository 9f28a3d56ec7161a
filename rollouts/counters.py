"""What the gates of a plan count of each line: exposures and first events by tick, or first values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from rollouts.firsts import Firsts
from rollouts.gates import GateStatistics
from rollouts.metrics import CACHE_HIT_RATE, COST, ERROR_RATE, FALLBACK_RATE, LATENCY_MS, OUTCOME, Statistic
from rollouts.plan import Gate
from rollouts.seen import Seen
from rollouts.sequential import Tick

CALL = "call"
"""The kind of a line whose value is a call's latency in ms."""

Sees = Callable[[Seen], tuple[bool, bool]]
"""Says of a line whether it is an exposure, and whether it is an event."""

Measures = Callable[[Seen], float | None]
"""Returns the value that a line has, None for none."""


Takes = Callable[[Tick, Tick], None]
"""Takes a tick of units at risk in the visit, and of those of them at risk since the start."""


class At(NamedTuple):
    """Where in a rollout a line is counted: the tick, the visit to a step, and whether the line is of that visit."""

    tick: int
    visit: int
    is_current: bool


@dataclass(slots=True)
class Counts:
    """At-risk exposures and first events of a tick."""

    exposed_new: int = 0
    exposed_control: int = 0
    events_new: int = 0
    events_control: int = 0

    def add(self, is_new: bool, is_exposed: bool, is_event: bool) -> None:
        """Count a line of a unit that was at risk."""
        if is_new:
            self.exposed_new += is_exposed
            self.events_new += is_event
        else:
            self.exposed_control += is_exposed
            self.events_control += is_event

    def tick(self) -> Tick:
        """Return what a gate takes; an event whose call was not seen is an exposure by itself."""
        new, control = max(self.exposed_new, self.events_new), max(self.exposed_control, self.events_control)
        return Tick(new, control, self.events_new, self.events_control)


@dataclass(slots=True)
class Open:
    """What was counted so far in a tick: of units at risk in this visit, and of those never hit before either."""

    here: Counts = field(default_factory=Counts)
    ever: Counts = field(default_factory=Counts)


class Span(NamedTuple):
    """How long a tick is, and for how long after it events of its exposures are waited for, both in seconds."""

    tick_s: int
    within_s: int = 0

    def is_over(self, tick: int, now: int) -> bool:
        """Whether nothing more is counted in a tick when it is `now`."""
        return (tick + 1) * self.tick_s + self.within_s <= now * self.tick_s


class Counter(Protocol):
    """Something of a gate that is counted line by line."""

    def take(self, line: Seen, at: At, firsts: Firsts) -> None:
        """Count a line; one that is not of the visit only takes its unit out of the risk set."""

    def close(self, now: int) -> None:
        """Hand on the ticks that are over when the tick `now` begins."""

    def end_visit(self) -> None:
        """Hand on what belongs to the visit that ends, and forget the rest."""


class RateCounter:
    """Exposures up to and including each unit's first event in the visit to a step, and in the rollout, by tick.

    Where events come later than what they are of (`within_s`), both count in the tick of their decision: so that an
    event is compared with the exposures it can have come from, and a rate is one of events within that time.
    """

    def __init__(self, name: str, sees: Sees, into: Takes, span: Span, open_: dict[int, Open]) -> None:
        self._name = name
        self._sees = sees
        self._into = into
        self._span = span
        self._open = open_

    def take(self, line: Seen, at: At, firsts: Firsts) -> None:
        """Count a line of a unit that is at risk."""
        is_exposed, is_event = self._sees(line)
        if not (is_exposed or is_event):
            return
        ever, here = (line.unit, self._name), (line.unit, f"{self._name}@{at.visit}")
        is_fresh = not firsts.has(ever)
        if is_event and is_fresh:
            firsts.add(ever)
        if not at.is_current or firsts.has(here):
            return
        if is_event:
            firsts.add(here)
        counts = self._counts(line, at.tick)
        counts.here.add(line.is_new, is_exposed, is_event)
        if is_fresh:
            counts.ever.add(line.is_new, is_exposed, is_event)

    def _counts(self, line: Seen, now: int) -> Open:
        tick = int(line.decided_at // self._span.tick_s) if self._span.within_s else now
        counts = self._open.get(tick)
        if counts is not None:
            return counts
        counts = Open()
        if not self._span.is_over(tick, now):
            self._open[tick] = counts
        return counts

    def close(self, now: int) -> None:
        """Hand on the ticks that are over."""
        for tick in sorted(tick for tick in self._open if self._span.is_over(tick, now)):
            self._hand_on(self._open.pop(tick))

    def end_visit(self) -> None:
        """Hand on the open tick; but not what events were still waited for."""
        if not self._span.within_s:
            for tick in sorted(self._open):
                self._hand_on(self._open[tick])
        self._open.clear()

    def _hand_on(self, counts: Open) -> None:
        self._into(counts.here.tick(), counts.ever.tick())


class ExceedanceCounter(RateCounter):
    """Calls beyond a quantile's threshold, once the control's first calls have fixed it."""

    def __init__(
        self, name: str, measures: Measures, statistics: GateStatistics, span: Span, open_: dict[int, Open]
    ) -> None:
        super().__init__(name, _beyond(measures, lambda: statistics.threshold), statistics.tick, span, open_)
        self._measures = measures
        self._statistics = statistics

    def take(self, line: Seen, at: At, firsts: Firsts) -> None:
        """Count a line, or take it for the threshold while that is not known."""
        if not self._statistics.is_baseline_wanted:
            super().take(line, at, firsts)
        elif at.is_current and not line.is_new and (value := self._measures(line)) is not None:
            self._statistics.add_baseline(value)


class ValueCounter:
    """Each unit's first value in a visit to a step."""

    def __init__(self, name: str, measures: Measures, statistics: GateStatistics) -> None:
        self._name = name
        self._measures = measures
        self._statistics = statistics

    def take(self, line: Seen, at: At, firsts: Firsts) -> None:
        """Take a line's value if its unit has none yet in this visit."""
        if not at.is_current or (value := self._measures(line)) is None:
            return
        if firsts.is_new((line.unit, f"{self._name}@{at.visit}")):
            self._statistics.value(line.is_new, value)

    def close(self, now: int) -> None:
        """Do nothing: values do not wait for a tick's end."""

    def end_visit(self) -> None:
        """Do nothing."""


def counters(
    name: str, gate: Gate, statistics: GateStatistics, spans: tuple[Span, Span], open_: dict[str, dict[int, Open]]
) -> Iterator[Counter]:
    """Yield what is counted for a gate; `spans` are those of calls and of outcomes, `open_` keeps open ticks."""
    of_calls, of_outcomes = spans
    if gate.statistic is Statistic.MEAN:
        yield ValueCounter(name, _measures(gate.metric), statistics)
    elif gate.statistic is Statistic.RATE:
        sees, span = _sees(gate.metric), of_outcomes if gate.metric.startswith(OUTCOME) else of_calls
        yield RateCounter(name, sees, statistics.tick, span, open_.setdefault(name, {}))
    else:
        measures, absolute = _measures(gate.metric), gate.absolute
        if gate.relative is not None:
            yield ExceedanceCounter(name, measures, statistics, of_calls, open_.setdefault(name, {}))
        if absolute is not None:
            name = f"{name}:absolute"
            sees = _beyond(measures, lambda: absolute)
            yield RateCounter(name, sees, statistics.tick_absolute, of_calls, open_.setdefault(name, {}))


def kind_of(metric: str) -> str:
    """Return the kind of the lines, besides calls, that a metric is about."""
    return metric.removeprefix(OUTCOME)


def _beyond(measures: Measures, limit: Callable[[], float | None]) -> Sees:
    def sees(line: Seen) -> tuple[bool, bool]:
        value, most = measures(line), limit()
        return value is not None, value is not None and most is not None and value > most

    return sees


def _sees(metric: str) -> Sees:
    if metric in _OF_CALLS:
        return _OF_CALLS[metric]
    kind = kind_of(metric)
    return lambda line: (line.is_exposure, line.kind == kind)


_OF_CALLS: dict[str, Sees] = {
    ERROR_RATE: lambda line: (line.is_exposure, line.is_exposure and line.is_error),
    FALLBACK_RATE: lambda line: (line.is_exposure, line.is_exposure and line.is_fallback),
    CACHE_HIT_RATE: lambda line: (line.is_exposure and line.is_hit is not None, line.is_exposure and bool(line.is_hit)),
}


def _measures(metric: str) -> Measures:
    if metric == COST:
        return lambda line: line.cost
    kind = CALL if metric == LATENCY_MS else kind_of(metric)
    return lambda line: line.value if line.kind == kind else None
