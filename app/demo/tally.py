"""How many real calls were made, by whom, and how many of them failed."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """The real calls of one route so far."""

    asked_by: Counter[str] = field(default_factory=Counter)
    bodies: set[bytes] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def begin(self, user: str, body: bytes) -> None:
        """Count a call as it begins."""
        self.asked_by[user] += 1
        self.bodies.add(body)

    def totals(self) -> str:
        """Say how many calls there were, of how many users, and how many of them failed."""
        first = f" (first: {self.errors[0]})" if self.errors else ""
        return f"{self.asked_by.total():,} calls of {len(self.asked_by):,} users, {len(self.errors)} errors{first}"
