"""What became of the attempts to have one call answered."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .call import Answer
from .causes import UNSENT, Cause
from .lanes import Lane


class Attempt(NamedTuple):
    """One backend's part: `cause` is None when its answer was good enough to hand back.

    `status` is the HTTP status, if there was one. `elapsed_ms` runs to the answer, or to a stream's first byte.
    """

    backend: str
    cause: Cause | None
    status: int | None
    elapsed_ms: float
    detail: str


class Dispatched(NamedTuple):
    """What a caller gets: the answer and the backend it is from, both None when all failed, and every attempt."""

    answer: Answer | None
    backend: str | None
    attempts: tuple[Attempt, ...]


def first_cause(attempts: Sequence[Attempt]) -> Cause | None:
    """Return why the decided backend did not answer: TIMEOUT when the time was over before anybody could be asked."""
    return attempts[0].cause if attempts else Cause.TIMEOUT


def failure_status(attempts: Sequence[Attempt]) -> int:
    """Return the status of a call that nobody answered.

    503 when no backend has seen it, or the fallback had no place for it; 504 when the last to see it took too long,
    else 502.
    """
    if attempts and attempts[-1].cause is Cause.FALLBACK_CONCURRENCY:
        return 503
    seen = [attempt.cause for attempt in attempts if attempt.cause not in UNSENT]
    if not seen:
        return 503
    return 504 if seen[-1] is Cause.TIMEOUT else 502


def retry_after_s(attempts: Sequence[Attempt], lanes: Mapping[str, Lane], now: float) -> int:
    """Return in how many whole seconds the first of the backends tried may be open again, at least 1."""
    waits = [lanes[attempt.backend].breaker.status(now).retry_after_s for attempt in attempts]
    return math.ceil(max(1.0, min((wait or 0.0 for wait in waits), default=0.0)))
