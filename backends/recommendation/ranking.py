"""What a model says before the rules: a score for every item, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .interactions import Vector


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores, shape (items,), higher is better; `because` gives the reason for an item's number in words."""

    scores: Vector
    because: Callable[[int], str]


class Model(Protocol):
    """What takes the place of another model without anybody noticing but by the answers."""

    name: str
    version: str

    def rank(self, user: int) -> Ranking:
        """Score every item for the user of a row of the history."""
