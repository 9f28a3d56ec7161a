"""What flags stand on: the flags that are their prerequisites, and the segments that their rules name."""

from collections.abc import Iterable, Mapping

from .conditions import segments_in
from .model import Flag
from .segment import Segment
from .segments import segments_of


def with_prerequisites(flags: Mapping[str, Flag], keys: Iterable[str]) -> dict[str, Flag]:
    """Return the flags of these keys, and all flags that they stand on; unknown keys are left out."""
    found: dict[str, Flag] = {}
    waiting = [*keys]
    while waiting:
        key = waiting.pop()
        if key in flags and key not in found:
            found[key] = flags[key]
            waiting += [item.flag for item in flags[key].prerequisites]
    return found


def segments_below(flags: Iterable[Flag], segments: Mapping[str, Segment]) -> dict[str, Segment]:
    """Return the segments that the flags' rules name, and all segments that these stand on, in the given order."""
    found: set[str] = set()
    waiting = [name for flag in flags for name in segments_of(flag)]
    while waiting:
        name = waiting.pop()
        if name in segments and name not in found:
            found.add(name)
            waiting += segments_in(segments[name].when)
    return {name: segment for name, segment in segments.items() if name in found}
