"""Which flags stand on which: prerequisites that are circular, too deep or missing."""

from collections.abc import Mapping

from .model import Flag

MAX_DEPTH = 16


def unresolvable(flags: Mapping[str, Flag]) -> frozenset[str]:
    """Return the keys whose chain of prerequisites is circular or longer than 16."""
    depths: dict[str, int] = {}
    for key, flag in flags.items():
        if flag.prerequisites:
            _measure(key, flags, depths, ())
    return frozenset(key for key, depth in depths.items() if depth > MAX_DEPTH)


def _measure(key: str, flags: Mapping[str, Flag], depths: dict[str, int], path: tuple[str, ...]) -> int:
    if key in depths:
        return depths[key]
    flag = flags.get(key)
    if flag is None or not flag.prerequisites:
        return 0
    if key in path or len(path) > MAX_DEPTH:
        return MAX_DEPTH + 1
    depth = 1 + max(_measure(item.flag, flags, depths, (*path, key)) for item in flag.prerequisites)
    depths[key] = min(depth, MAX_DEPTH + 1)
    return depths[key]


def problem_with(flag: Flag, flags: Mapping[str, Flag]) -> str | None:
    """Say in a sentence why the flag's prerequisites cannot stand among `flags`, None when they can."""
    for item in flag.prerequisites:
        wanted = flags.get(item.flag)
        if wanted is None:
            return f'prerequisites name the unknown flag "{item.flag}"; create it first'
        strange = [name for name in item.variants if name not in wanted.variants]
        if strange:
            return f'prerequisites name the variant "{strange[0]}", which flag "{item.flag}" does not have'
    if flag.key in unresolvable({**flags, flag.key: flag}):
        return f"prerequisites form a cycle or a chain longer than {MAX_DEPTH} flags"
    return None


def dependants(key: str, flags: Mapping[str, Flag]) -> tuple[str, ...]:
    """Return the keys of the flags that have this one as a prerequisite."""
    return tuple(name for name, flag in flags.items() if any(item.flag == key for item in flag.prerequisites))
