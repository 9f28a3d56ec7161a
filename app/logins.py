"""Who fails to log in too often: a count for each source, bounded in time and number."""

import math
from collections import OrderedDict, deque
from typing import NamedTuple

FAILURES = 10
WINDOW_S = 60.0
SOURCES = 10_000


class Refusal(NamedTuple):
    """Why a failing login gets no more than that: seconds to wait, and whether this is the first of a burst."""

    retry_after_s: int
    is_first: bool


class _Failures:
    """The latest failures of one source, and when it was last refused."""

    __slots__ = ("at", "refused_at")

    def __init__(self) -> None:
        self.at: deque[float] = deque(maxlen=FAILURES)
        self.refused_at = -math.inf


class Logins:
    """Counts failed logins by source; when there are too many sources, the one that failed least recently goes."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Failures] = OrderedDict()

    def failed(self, source: str, now: float) -> Refusal | None:
        """Take a failure at `now`, in seconds; return a Refusal when 10 others were within the last 60 s.

        Refused ones do not count, so that a source may try again at times. A burst lasts until nothing was refused for
        60 s.
        """
        failures = self._failures_of(source)
        if len(failures.at) < FAILURES or now - failures.at[0] >= WINDOW_S:
            failures.at.append(now)
            return None
        is_first = now - failures.refused_at >= WINDOW_S
        failures.refused_at = now
        return Refusal(math.ceil(failures.at[0] + WINDOW_S - now), is_first)

    def _failures_of(self, source: str) -> _Failures:
        failures = self._sources.setdefault(source, _Failures())
        self._sources.move_to_end(source)
        if len(self._sources) > SOURCES:
            self._sources.popitem(last=False)
        return failures
