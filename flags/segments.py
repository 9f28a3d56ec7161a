"""Segments compiled: each stands on those that its condition names."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from .conditions import Compare, Condition, InBuckets, InSegment, parts, segments_in
from .model import Flag
from .predicates import CompiledSegment, asks_time, predicate
from .segment import Segment

MAX_LEVELS = 8
MAX_COMPARISONS = 4096
"""Of a segment and of all rules of a flag, with the segments they name: 0.7 ms for ordinary ones that all fail."""


class SegmentProblem(NamedTuple):
    """Why segments cannot be as they are wanted, and which of them is to blame."""

    segment: str
    told: str


class Use(NamedTuple):
    """A place that names a segment, or one that stands on it: `through` is the one that it names itself."""

    collection: str
    key: str
    place: str
    through: str


def compiled(segments: Iterable[Segment]) -> Mapping[str, CompiledSegment]:
    """Compile the segments; nobody is in one that stands on itself."""
    by_name = {segment.name: segment for segment in segments}
    sorter = TopologicalSorter({name: segments_in(segment.when) for name, segment in by_name.items()})
    predicates: dict[str, CompiledSegment] = {}
    with suppress(CycleError):  # all that stands on no cycle is sorted nevertheless
        sorter.prepare()
    while ready := sorter.get_ready():
        whens = {name: by_name[name].when for name in ready if name in by_name}
        predicates |= {
            name: CompiledSegment(predicate(when, predicates), asks_time(when, predicates))
            for name, when in whens.items()
        }
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


def problem_with(changed: Collection[str], segments: Mapping[str, Segment]) -> SegmentProblem | None:
    """Return why the segments cannot be so, None when they can: unknown ones, circles, and too much in one."""
    for name in changed:
        if name in segments and (unknown := segments_in(segments[name].when) - segments.keys()):
            return SegmentProblem(name, f'when: names the unknown segment "{min(unknown)}"; create it first')
    try:
        order = below_first(segments)
    except CycleError as error:
        circle = error.args[1][::-1]
        told = " stands on ".join(f'"{name}"' for name in circle)
        return SegmentProblem(min({*circle} & {*changed}, default=circle[0]), f"when: stands on itself: {told}")
    return next(_too_much(order, segments), None)


def below_first(segments: Mapping[str, Segment]) -> list[str]:
    """Return the names in an order in which each comes behind those it stands on. Raises CycleError."""
    standing = {name: sorted(segments_in(segments[name].when) & segments.keys()) for name in sorted(segments)}
    return [*TopologicalSorter(standing).static_order()]


def _too_much(order: Iterable[str], segments: Mapping[str, Segment]) -> Iterator[SegmentProblem]:
    levels: dict[str, int] = {}
    sizes = Sizes(segments)
    for name in order:
        when = segments[name].when
        levels[name] = 1 + max((levels.get(each, 0) for each in segments_in(when)), default=0)
        if levels[name] > MAX_LEVELS:
            yield SegmentProblem(name, f"when: segments may stand on each other {MAX_LEVELS} deep at most")
        if (size := sizes.of(when)) > MAX_COMPARISONS:
            told = f"when: comes to {size:,} comparisons with the segments it names, {MAX_COMPARISONS:,} at most"
            yield SegmentProblem(name, told)


class Sizes:
    """How many comparisons conditions and flags come to, with the segments they name, each time."""

    def __init__(self, segments: Mapping[str, Segment]) -> None:
        """Count over these segments; an unknown one, and one that stands on itself, come to nothing."""
        self._segments = segments
        self._known: dict[str, int] = {}

    def of_flag(self, flag: Flag) -> int:
        """Return what all rules of a flag come to: who matches none of them costs as much."""
        return sum(self.of(rule.when) for rule in flag.rules)

    def of(self, condition: Condition) -> int:
        """Return what a condition comes to."""
        return sum(
            self._of_segment(part.segment) if isinstance(part, InSegment) else isinstance(part, Compare | InBuckets)
            for part in parts(condition)
        )

    def _of_segment(self, name: str) -> int:
        if name not in self._known:
            self._known[name] = 0
            segment = self._segments.get(name)
            self._known[name] = 0 if segment is None else self.of(segment.when)
        return self._known[name]


def uses_in(name: str, segments: Mapping[str, Segment], flags: Iterable[Flag]) -> Iterator[Use]:
    """Yield the segments that name a segment or one that stands on it, and the rules of flags that do."""
    touched = reached([name], segments.values())
    for user in sorted(segments):
        for through in sorted(segments_in(segments[user].when) & touched):
            yield Use("segment", user, "when", through)
    for flag in flags:
        for rule in flag.rules:
            for through in sorted(segments_in(rule.when) & touched):
                yield Use("flag", flag.key, f'rule "{rule.name}"', through)
