"""Segments compiled: each stands on those that its condition names."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from .conditions import segments_in
from .model import Flag
from .predicates import Predicate, predicate
from .segment import Segment


def compiled(segments: Iterable[Segment]) -> Mapping[str, Predicate]:
    """Compile the segments; nobody is in one that stands on itself."""
    by_name = {segment.name: segment for segment in segments}
    sorter = TopologicalSorter({name: segments_in(segment.when) for name, segment in by_name.items()})
    predicates: dict[str, Predicate] = {}
    with suppress(CycleError):  # all that stands on no cycle is sorted nevertheless
        sorter.prepare()
    while ready := sorter.get_ready():
        predicates |= {name: predicate(by_name[name].when, predicates) for name in ready if name in by_name}
        sorter.done(*ready)
    return predicates


def reached(changed: Iterable[str], segments: Iterable[Segment]) -> frozenset[str]:
    """Return the names of the segments that stand on the changed ones, with these themselves."""
    standing = {segment.name: segments_in(segment.when) for segment in segments}
    touched = {*changed}
    while more := {name for name, below in standing.items() if name not in touched and below & touched}:
        touched |= more
    return frozenset(touched)


def segments_of(flag: Flag) -> frozenset[str]:
    """Return the names of the segments that the flag's rules name themselves."""
    return frozenset(name for rule in flag.rules for name in segments_in(rule.when))
