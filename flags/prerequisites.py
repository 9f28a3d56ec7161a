"""Which flags stand on which: prerequisites that are circular, too many or missing."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

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


def problem_with(flag: Flag, flags: Mapping[str, Flag]) -> str | None:
    """Say in a sentence why the flag cannot stand among `flags` because of prerequisites, None when it can."""
    return _unknown_prerequisite(flag, flags) or _missed_by_others(flag, flags) or _unresolvable_with(flag, flags)


def _unknown_prerequisite(flag: Flag, flags: Mapping[str, Flag]) -> str | None:
    for item in flag.prerequisites:
        wanted = flags.get(item.flag)
        if wanted is None:
            return f'prerequisites name the unknown flag "{item.flag}"; create it first'
        strange = [name for name in item.variants if name not in wanted.variants]
        if strange:
            return f'prerequisites name the variant "{strange[0]}", which flag "{item.flag}" does not have'
    return None


def _missed_by_others(flag: Flag, flags: Mapping[str, Flag]) -> str | None:
    for other in dependants(flag.key, flags):
        wanted = [name for item in flags[other].prerequisites if item.flag == flag.key for name in item.variants]
        missed = [name for name in wanted if name not in flag.variants]
        if missed:
            return f'variants lack "{missed[0]}", which flag "{other}" has as a prerequisite'
    return None


def _unresolvable_with(flag: Flag, flags: Mapping[str, Flag]) -> str | None:
    after = unresolvable({**flags, flag.key: flag})
    if flag.key in after:
        return f"prerequisites form a cycle or take more than {MAX_EVALUATIONS} evaluations"
    broken = after - unresolvable(flags)
    if broken:
        return f'prerequisites would make flag "{min(broken)}" take more than {MAX_EVALUATIONS} evaluations'
    return None


def dependants(key: str, flags: Mapping[str, Flag]) -> tuple[str, ...]:
    """Return the keys of the flags that have this one as a prerequisite."""
    return tuple(name for name, flag in flags.items() if any(item.flag == key for item in flag.prerequisites))
