"""First events: what a unit did for the first time counts, and what it does again does not."""

from collections.abc import Set as AbstractSet

First = tuple[str, str]
"""A unit, and the name of what was seen of it first.

Names are a gate's (its event), `gate:absolute` (the event of a quantile's absolute limit), either with `@visit` (the
event in a visit to a step), `gate@visit` of a mean (a value in it), `@visit` (a call in a visit to a step) and ""
(a call at all).
"""


class Firsts:
    """The first events of units: those `known` before, and those `found` now, in their order."""

    def __init__(self, known: AbstractSet[First]) -> None:
        self._known = known
        self._fresh: set[First] = set()
        self.found: list[First] = []

    def has(self, first: First) -> bool:
        """Whether it is known, or was found."""
        return first in self._known or first in self._fresh

    def add(self, first: First) -> None:
        """Note one that is not there yet."""
        self._fresh.add(first)
        self.found.append(first)

    def is_new(self, first: First) -> bool:
        """Whether it was not there before; it is from now on."""
        if first in self._known or first in self._fresh:
            return False
        self.add(first)
        return True
