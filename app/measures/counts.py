"""What calls and outcomes of one side came to in a stretch of time: all of it adds up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.measures.sketch import Sketch

MOST = 1e15
"""Values beyond it count as it: the sum of their squares must stay a number that JSON has."""

NUMBERS = ("calls", "errors", "failures", "fallbacks", "hits", "misses", "opened")


@dataclass(slots=True)
class Amount:
    """Values that were told: how many, their sum, and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Add one value; what is no number counts as none."""
        if not -MOST < value < MOST:
            if math.isnan(value):
                return
            value = MOST if value > 0 else -MOST
        self.count += 1
        self.total += value
        self.squares += value * value

    def merge(self, other: "Amount") -> None:
        """Add what another one has."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares


@dataclass(slots=True)
class Counts:
    """Everything that is counted of a side.

    `errors` are calls whose decided side gave no good answer, `failures` those whose caller got none, `fallbacks` those
    that another side answered. `answered` counts who did. `opened` is how often the side's breaker opened.
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
    signals: dict[str, Amount] = field(default_factory=dict)
    outcomes: dict[str, Amount] = field(default_factory=dict)

    def merge(self, other: "Counts") -> None:
        """Add what another one has."""
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for side, count in other.answered.items():
            self.answered[side] = self.answered.get(side, 0) + count
        self.latency.merge(other.latency)
        _merge(self.signals, other.signals)
        _merge(self.outcomes, other.outcomes)

    def to_json(self) -> str:
        """Return it as JSON text; what is nothing is left out."""
        told: dict[str, Any] = {name: number for name in NUMBERS if (number := getattr(self, name))}
        told |= {
            "answered": self.answered,
            "latency": [self.latency.total, *(each for pair in self.latency.buckets.items() for each in pair)],
            "signals": {name: [each.count, each.total, each.squares] for name, each in self.signals.items()},
            "outcomes": {name: [each.count, each.total, each.squares] for name, each in self.outcomes.items()},
        }
        return orjson.dumps(told).decode()

    @classmethod
    def from_json(cls, text: str) -> "Counts":
        """Read it back."""
        told = orjson.loads(text)
        total, *pairs = told["latency"]
        latency = Sketch(dict(zip(pairs[::2], pairs[1::2], strict=True)), total)
        numbers = {name: told.get(name, 0) for name in NUMBERS}
        return cls(
            **numbers,
            answered=told["answered"],
            latency=latency,
            signals=_amounts(told["signals"]),
            outcomes=_amounts(told["outcomes"]),
        )


def merged(one: str, other: str) -> str:
    """Return as JSON text what two such texts come to together."""
    both = Counts.from_json(one)
    both.merge(Counts.from_json(other))
    return both.to_json()


def _merge(mine: dict[str, Amount], others: Mapping[str, Amount]) -> None:
    for name, amount in others.items():
        mine.setdefault(name, Amount()).merge(amount)


def _amounts(told: Mapping[str, tuple[int, float, float]]) -> dict[str, Amount]:
    return {name: Amount(*each) for name, each in told.items()}
