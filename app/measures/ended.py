"""How a carried call ended."""

from typing import NamedTuple

from routers.attempts import Dispatched
from routers.profiles.signals import NO_SIGNALS, Signals

SERVER_ERROR = 500


class Ended(NamedTuple):
    """How a call ended: it took `ms` milliseconds; `is_whole` is false for an answer that was cut off.

    `has_left`: it was, because its caller did not wait for the rest. `cache` is what the cache had to do with it, None
    without one.
    """

    carried: Dispatched
    status: int
    ms: float
    is_whole: bool
    signals: Signals = NO_SIGNALS
    cache: str | None = None
    has_left: bool = False

    @property
    def is_error(self) -> bool:
        """Whether the decided side gave no good answer: it failed or was not asked, or its answer was cut off."""
        attempts = self.carried.attempts
        if attempts and attempts[0].cause is not None:
            return True
        return self.is_failure

    @property
    def is_failure(self) -> bool:
        """Whether its caller got no good answer of anybody: none, 5xx, or one that was cut off, but not by himself."""
        return self.status >= SERVER_ERROR or not (self.is_whole or self.has_left)


# what a named tuple's own constructor calls, at half the price: this is the hot path
ended_of = tuple.__new__
