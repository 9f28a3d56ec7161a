"""Answers kept for a while, the longest unused thrown out first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

MOST_KEPT = 4096
T = TypeVar("T")


class Kept(Generic[T]):
    """What was answered less than `ttl_s` ago, by what was asked; `clock` tells seconds."""

    def __init__(self, ttl_s: float, clock: Callable[[], float], most: int = MOST_KEPT) -> None:
        self._ttl_s, self._clock, self._most = ttl_s, clock, most
        self._answers: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def get(self, asked: Hashable) -> T | None:
        """Return what was answered, unless it is too old."""
        if asked not in self._answers:
            return None
        at, answer = self._answers[asked]
        if self._clock() - at >= self._ttl_s:
            del self._answers[asked]
            return None
        self._answers.move_to_end(asked)
        return answer

    def keep(self, asked: Hashable, answer: T) -> None:
        """Remember an answer."""
        self._answers[asked] = self._clock(), answer
        self._answers.move_to_end(asked)
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)
