"""How many calls a source may make without a token: so many a second, and a few at once."""

import math
from collections import OrderedDict

BURST_S = 2.0
"""For how many seconds' calls a source may be ahead: a page that loads asks for many things at once."""

SOURCES = 10_000


class Quotas:
    """Counts calls by source in one number each; when there are too many sources, the longest known is forgotten.

    The number is when a source that called at an even pace would be as far as this one is.
    """

    def __init__(self, per_s: float) -> None:
        """Give every source `per_s` calls a second; 0 is no limit."""
        self._interval_s = 1 / per_s if per_s else 0.0
        self._ahead_s = max(BURST_S, self._interval_s) - self._interval_s
        self._even: OrderedDict[str, float] = OrderedDict()

    def refusal(self, source: str, now: float) -> int | None:
        """Take a call at `now`, in seconds; or return in how many seconds one would be taken."""
        even = max(self._even.get(source, now), now)
        if even - now > self._ahead_s:
            return math.ceil(even - now - self._ahead_s)
        self._even[source] = even + self._interval_s
        if len(self._even) > SOURCES:
            self._even.popitem(last=False)
        return None
