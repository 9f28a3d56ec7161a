"""What is counted of a side in a minute; counts of several processes and minutes are added."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.measures.sketch import Sketch

MOST_KINDS = 64
"""Kinds of outcomes that are told apart; what comes of any further one is not counted."""

MOST = 1e15
"""Values beyond it are not counted: one of them would drown the sums."""


@dataclass(slots=True)
class Moments:
    """How many values there were, their sum, and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.count += 1
        self.total += value
        self.squares += value * value

    def merge(self, other: "Moments") -> None:
        """Count what another has counted."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float | None:
        """The mean, None of nothing."""
        return self.total / self.count if self.count else None


@dataclass(slots=True)
class Counts:
    """What became of calls decided for a side, and what was reported of them.

    `errors`: the decided side gave no good answer; `failures`: the caller got none; `fallbacks`: another side answered.
    `answered` counts answers by who gave them, `hits` and `misses` are the route's cache's, `opened` is how often the
    side's breaker opened. `latency` is in milliseconds, to the end of the answer.
    """

    calls: int = 0
    errors: int = 0
    failures: int = 0
    fallbacks: int = 0
    hits: int = 0
    misses: int = 0
    opened: int = 0
    answered: dict[str, int] = field(default_factory=dict)
    latency: Sketch = field(default_factory=Sketch)
    signals: dict[str, Moments] = field(default_factory=dict)
    outcomes: dict[str, Moments] = field(default_factory=dict)

    def add_signal(self, name: str, value: float | None) -> None:
        """Count what an answer told, if it told it."""
        if value is not None and -MOST <= value <= MOST:
            moments = self.signals.get(name)
            if moments is None:
                moments = self.signals[name] = Moments()
            moments.add(value)

    def add_outcome(self, kind: str, value: float) -> None:
        """Count one outcome."""
        moments = self.outcomes.get(kind)
        if moments is None:
            if len(self.outcomes) >= MOST_KINDS:
                return
            moments = self.outcomes[kind] = Moments()
        if -MOST <= value <= MOST:
            moments.add(value)

    def merge(self, other: "Counts") -> None:
        """Count what another has counted."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for backend, count in other.answered.items():
            self.answered[backend] = self.answered.get(backend, 0) + count
        self.latency.merge(other.latency)
        _merge(self.signals, other.signals)
        _merge(self.outcomes, other.outcomes)

    def as_json(self) -> str:
        """Write it as JSON text, without what is zero or empty."""
        told: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        told["answered"] = self.answered
        told["latency"] = self.latency.as_json() if self.latency.count else None
        told["signals"], told["outcomes"] = _told(self.signals), _told(self.outcomes)
        return orjson.dumps({name: value for name, value in told.items() if value}).decode()

    @classmethod
    def from_json(cls, text: str) -> "Counts":
        """Read what `as_json` has written."""
        told = orjson.loads(text)
        counts = cls(**{name: told[name] for name in _NUMBERS if name in told}, answered=told.get("answered", {}))
        if "latency" in told:
            counts.latency = Sketch.from_json(told["latency"])
        counts.signals, counts.outcomes = _moments(told.get("signals", {})), _moments(told.get("outcomes", {}))
        return counts


_NUMBERS = ("calls", "errors", "failures", "fallbacks", "hits", "misses", "opened")


def merged(texts: Iterable[str]) -> Counts:
    """Return together what was written as JSON text."""
    together = Counts()
    for text in texts:
        together.merge(Counts.from_json(text))
    return together


def merged_text(one: str, other: str) -> str:
    """Return two as one, as JSON text."""
    return merged((one, other)).as_json()


def _merge(into: dict[str, Moments], others: Mapping[str, Moments]) -> None:
    for name, moments in others.items():
        into.setdefault(name, Moments()).merge(moments)


def _told(named: Mapping[str, Moments]) -> dict[str, list[float]]:
    return {name: [each.count, each.total, each.squares] for name, each in named.items()}


def _moments(told: Mapping[str, list[Any]]) -> dict[str, Moments]:
    return {name: Moments(*numbers) for name, numbers in told.items()}
