"""Look up places in an answer, on the hot path: each path becomes a function once."""

from collections.abc import Callable, Sequence
from typing import Any

from routers.compare.paths import ABSENT, Step, Wild, at

Find = Callable[[Any], Any]
"""Looks up one place in a document; ABSENT where nothing stands."""

MOST_ELEMENTS = 100
"""Of how many elements of a list something is looked up."""


def finder(steps: Sequence[Step]) -> Find:
    """Return what looks up the place that the steps lead to."""
    if not all(isinstance(step, str) for step in steps):
        return lambda document: at(document, steps)

    def find(document: Any) -> Any:
        try:
            for step in steps:
                document = document[step]
        except (KeyError, TypeError):
            return ABSENT
        return document

    return find


def list_finder(steps: Sequence[Step]) -> tuple[Find, Find]:
    """Return what looks up the list that `[*]` stands behind, and what looks up the rest in each of its elements.

    The second gives the values of the first elements, in their order; none if one of these has nothing there.
    """
    wild = steps.index(Wild.ANY)
    find = finder(steps[wild + 1 :])

    def find_each(elements: Any) -> Any:
        values = [find(element) for element in elements[:MOST_ELEMENTS]]
        return [] if any(value is ABSENT for value in values) else values

    return finder(steps[:wild]), find_each
