"""Compare two JSON documents leaf by leaf, and say where they differ and how."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from math import isclose
from typing import Any

from routers.compare.model import JsonComparison
from routers.compare.paths import ABSENT, Place, written
from routers.compare.reading import name_of
from routers.compare.result import MOST_DIFFERENCES, Difference, Kind, Result, excerpt
from routers.compare.rules import Rules, Spot, Tolerance, Unordered


def judge_documents(comparison: JsonComparison, control: Any, candidate: Any) -> Result:
    """Compare two documents: of the leaves that either has and nobody ignores, the share that is alike in both.

    A leaf is a value without children. Where one side has a leaf and the other a tree, the tree's leaves differ.
    """
    rules = Rules(comparison.rules)
    walk = Walk(rules, additive=comparison.additive)
    walk.compare(None, rules.start(), control, candidate)
    agreement = walk.alike / walk.leaves if walk.leaves else 1.0
    return Result(agreement, tuple(walk.differences), walk.different)


class Walk:
    """One walk down two documents at once; recursive, so both must have been found to be flat enough."""

    def __init__(self, rules: Rules, *, additive: bool) -> None:
        self.leaves = 0
        self.alike = 0
        self.different = 0
        self.differences: list[Difference] = []
        self._rules = rules
        self._additive = additive

    def compare(self, place: Place, spot: Spot, control: Any, candidate: Any) -> None:
        """Compare what stands at one place."""
        if spot.ignored:
            return
        if _type(control) is not _type(candidate):
            self._differ(Kind.TYPE, place, spot, control, candidate)
        elif isinstance(control, dict):
            self._compare_objects(place, spot, control, candidate)
        elif isinstance(control, list):
            self._compare_lists(place, spot, control, candidate)
        elif _alike(control, candidate, spot.tolerance):
            self._agree()
        else:
            self._differ(Kind.VALUE, place, spot, control, candidate)

    def _compare_objects(self, place: Place, spot: Spot, control: dict[str, Any], candidate: dict[str, Any]) -> None:
        if not control and not candidate:
            self._agree()
        for name, value in control.items():
            self._compare_child(place, spot, name, value, candidate.get(name, ABSENT))
        if not self._additive:
            for name, value in candidate.items():
                if name not in control:
                    self._compare_child(place, spot, name, ABSENT, value)

    def _compare_lists(self, place: Place, spot: Spot, control: list[Any], candidate: list[Any]) -> None:
        if not control and not candidate:
            self._agree()
        for index, ours, theirs in _partners(control, candidate, spot.unordered):
            self._compare_child(place, spot, index, ours, theirs)

    def _compare_child(self, place: Place, spot: Spot, step: str | int, control: Any, candidate: Any) -> None:
        place, spot = (place, step), self._rules.below(spot, step)
        if candidate is ABSENT:
            self._differ(Kind.MISSING, place, spot, control, candidate)
        elif control is ABSENT:
            self._differ(Kind.ADDED, place, spot, control, candidate)
        else:
            self.compare(place, spot, control, candidate)

    def _agree(self) -> None:
        self.leaves += 1
        self.alike += 1

    def _differ(self, kind: Kind, place: Place, spot: Spot, control: Any, candidate: Any) -> None:
        leaves = max(self._leaves(spot, value) for value in (control, candidate) if value is not ABSENT)
        if not leaves:
            return
        self.leaves += leaves
        self.different += 1
        if len(self.differences) < MOST_DIFFERENCES:
            shown = [None if value is ABSENT else excerpt(value) for value in (control, candidate)]
            self.differences.append(Difference(written(place), kind, *shown))

    def _leaves(self, spot: Spot, value: Any) -> int:
        """Count the leaves of a value that nobody ignores; an empty list or object is one."""
        if spot.ignored:
            return 0
        children: Iterable[tuple[str | int, Any]] = ()
        if isinstance(value, dict):
            children = value.items()
        elif isinstance(value, list):
            children = enumerate(value)
        counts = [self._leaves(self._rules.below(spot, step), child) for step, child in children]
        return sum(counts) if counts else 1


def _type(value: Any) -> type:
    return float if type(value) is int else type(value)


def _alike(control: Any, candidate: Any, tolerance: Tolerance | None) -> bool:
    if tolerance is None or _type(control) is not float:
        return bool(control == candidate)
    return isclose(control, candidate, abs_tol=tolerance.absolute, rel_tol=tolerance.relative)


def _partners(control: list[Any], candidate: list[Any], unordered: Unordered | None) -> Iterator[tuple[int, Any, Any]]:
    """Yield the elements to be compared with each other, and where the first of them stands; ABSENT is no partner."""
    if unordered is None:
        pairs = zip_longest(control, candidate, fillvalue=ABSENT)
        yield from ((index, ours, theirs) for index, (ours, theirs) in enumerate(pairs))
        return
    left = dict(zip(_names(candidate, unordered.key), enumerate(candidate), strict=True))
    for index, (name, element) in enumerate(zip(_names(control, unordered.key), control, strict=True)):
        yield index, element, left.pop(name, (index, ABSENT))[1]
    yield from ((index, ABSENT, element) for index, element in left.values())


def _names(elements: list[Any], key: str | None) -> Iterator[tuple[str, int]]:
    """Yield what pairs an element: its key's value, and how many before it have the same."""
    seen: Counter[str] = Counter()
    for element in elements:
        name = name_of(element.get(key) if key is not None and isinstance(element, dict) else element)
        yield name, seen[name]
        seen[name] += 1
