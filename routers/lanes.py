"""The way to one backend: its breaker, and how many calls may be on it at once."""

from enum import StrEnum

from .breaker import Breaker, Permit
from .causes import Cause


class Ending(StrEnum):
    """How a call left its lane; a cancelled call and a refusal of the caller's own making (4xx) are neutral."""

    OK = "ok"
    FAILED = "failed"
    NEUTRAL = "neutral"


UNCOUNTED = Permit(era=0)
"""A permit of no era, so that its result changes nothing."""


class Lane:
    """One backend's breaker and bulkhead: every permit that `enter` gives must come back by `leave`, once.

    Of its `max_concurrency` calls `max_fallbacks` may have fallen back from another backend, so that one that dies
    does not drown this one and those whose own backend it is.
    """

    __slots__ = ("backend", "breaker", "fallbacks", "in_flight", "max_concurrency", "max_fallbacks")

    def __init__(self, backend: str, breaker: Breaker, max_concurrency: int, max_fallbacks: int) -> None:
        self.backend = backend
        self.breaker = breaker
        self.max_concurrency = max_concurrency
        self.max_fallbacks = max_fallbacks
        self.in_flight = 0
        self.fallbacks = 0

    def enter(self, now: float, *, last_resort: bool = False, fell_back: bool = False) -> Permit | Cause:
        """A permit to call the backend, or why not; whoever is refused holds nothing.

        A last resort is refused for its number of calls only, or by a breaker that a person holds open: beyond what
        the breaker permits it goes uncounted, since an answer that may fail is better than none.
        """
        if self.in_flight >= self.max_concurrency:
            return self.breaker.refusal(now) or Cause.CONCURRENCY
        if fell_back and self.fallbacks >= self.max_fallbacks:
            return Cause.FALLBACK_CONCURRENCY
        permit = self.breaker.permit(now)
        if not isinstance(permit, Permit) and last_resort and not self.breaker.is_held_open:
            permit = UNCOUNTED
        if isinstance(permit, Permit):
            self.in_flight += 1
            if fell_back:
                self.fallbacks += 1
                permit = permit._replace(fell_back=True)
        return permit

    def refusal(self, now: float) -> Cause | None:
        """Why `enter` would refuse now, or None; takes nothing."""
        if self.in_flight >= self.max_concurrency:
            return self.breaker.refusal(now) or Cause.CONCURRENCY
        return self.breaker.refusal(now)

    def leave(self, permit: Permit, ending: Ending, *, seconds: float, now: float) -> None:
        """Bring a permit back after a call that took `seconds`."""
        self.in_flight -= 1
        if permit.fell_back:
            self.fallbacks -= 1
        if ending is Ending.OK:
            self.breaker.record(permit, ok=True, seconds=seconds, now=now)
        elif ending is Ending.FAILED:
            self.breaker.record(permit, ok=False, seconds=seconds, now=now)
        else:
            self.breaker.release(permit)
