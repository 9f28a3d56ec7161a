"""Which flags stand on which: prerequisites that are circular, too many or missing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from .model import Flag

MAX_EVALUATIONS = 64


def unresolvable(flags: Mapping[str, Flag]) -> frozenset[str]:
    """Return the keys of flags that stand on a cycle, or whose decision takes more than 64 evaluations.

    Its own counts as one; a flag reached by several ways is evaluated, and counts, once for each.
    """
    standing = {key: [item.flag for item in flag.prerequisites] for key, flag in flags.items() if flag.prerequisites}
    evaluations: dict[str, int] = {}
    for key in _foundations_first(standing):
        below = sum(evaluations[name] for name in standing.get(key, ()))
        evaluations[key] = min(1 + below, MAX_EVALUATIONS + 1)
    return frozenset(key for key in standing if evaluations.get(key, MAX_EVALUATIONS + 1) > MAX_EVALUATIONS)


def _foundations_first(standing: Mapping[str, list[str]]) -> Iterator[str]:
    sorter = TopologicalSorter(standing)
    with suppress(CycleError):  # all that stands on no cycle is sorted nevertheless
        sorter.prepare()
    while ready := sorter.get_ready():
        yield from ready
        sorter.done(*ready)


class Problem(NamedTuple):
    """Why a flag cannot be as it is wanted, in a sentence about the flag."""

    flag: str
    told: str


def problem_with(changed: Sequence[Flag], flags: Mapping[str, Flag]) -> Problem | None:
    """Return why the changed flags cannot stand among `flags` because of prerequisites, None when they can."""
    after = {**flags, **{flag.key: flag for flag in changed}}
    above = dependants(after)
    for flag in changed:
        told = _unknown_prerequisite(flag, after) or _missed_by_others(flag, above.get(flag.key, ()))
        if told is not None:
            return Problem(flag.key, told)
    return _unresolvable_with(changed, after, flags)


def _unknown_prerequisite(flag: Flag, flags: Mapping[str, Flag]) -> str | None:
    for item in flag.prerequisites:
        wanted = flags.get(item.flag)
        if wanted is None:
            return f'prerequisites name the unknown flag "{item.flag}"; create it first'
        strange = [name for name in item.variants if name not in wanted.variants]
        if strange:
            return f'prerequisites name the variant "{strange[0]}", which flag "{item.flag}" does not have'
    return None


def _missed_by_others(flag: Flag, others: Sequence[Flag]) -> str | None:
    for other in others:
        wanted = [name for item in other.prerequisites if item.flag == flag.key for name in item.variants]
        missed = [name for name in wanted if name not in flag.variants]
        if missed:
            return f'variants lack "{missed[0]}", which flag "{other.key}" has as a prerequisite'
    return None


def _unresolvable_with(
    changed: Sequence[Flag], after: Mapping[str, Flag], before: Mapping[str, Flag]
) -> Problem | None:
    touched = [*changed, *(before[flag.key] for flag in changed if flag.key in before)]
    if not any(flag.prerequisites for flag in touched):
        return None
    lost = unresolvable(after)
    for flag in changed:
        if flag.key in lost:
            return Problem(flag.key, f"prerequisites form a cycle or take more than {MAX_EVALUATIONS} evaluations")
    broken = lost - unresolvable(before)
    if broken:
        told = f'prerequisites would make flag "{min(broken)}" take more than {MAX_EVALUATIONS} evaluations'
        return Problem(changed[0].key, told)
    return None


def dependants(flags: Mapping[str, Flag]) -> Mapping[str, Sequence[Flag]]:
    """Return for each flag that is a prerequisite, known or not, the flags that have it as one."""
    above: dict[str, list[Flag]] = {}
    for flag in flags.values():
        for item in flag.prerequisites:
            above.setdefault(item.flag, []).append(flag)
    return above
