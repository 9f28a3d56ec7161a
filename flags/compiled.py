"""A flag ready to evaluate, and the state it is evaluated in."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .context import Context
from .decision import Decision
from .model import Flag
from .segments import segments_of


class State(Protocol):
    """What an evaluation reads; `Ruleset` is the one that holds it.

    `unresolvable` names the flags whose prerequisites are circular or too many.
    """

    @property
    def flags(self) -> "Mapping[str, CompiledFlag]":
        """Every flag by key, the killed ones compiled to their off variant."""

    @property
    def unresolvable(self) -> frozenset[str]:
        """The keys of flags that cannot serve as prerequisites."""


Step = Callable[[Context, float, State], Decision | None]
LastStep = Callable[[Context, float, State], Decision]


@dataclass(frozen=True, slots=True)
class CompiledFlag:
    """Named steps in order, each of which may decide, and a last one that always does.

    `invalid` is the answer to a context that is no JSON object: the last step's where that looks at no context.
    A flag with a schedule has the `last` step alone, which goes through the steps of the phase in force.
    """

    document: Flag
    invalid: Decision
    steps: tuple[tuple[str, Step], ...]
    last_name: str
    last: LastStep
    over_time: "OverTime | None" = None
    hashes: tuple[str, ...] = field(init=False)
    segments: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Keep what the document would take longer to tell: asked for at every call, or of every flag at once."""
        object.__setattr__(self, "hashes", self.document.hashes)
        object.__setattr__(self, "segments", segments_of(self.document))

    def at(self, now: float) -> "CompiledFlag":
        """Return what decides at `now`: the flag itself, or the phase of its schedule."""
        return self if self.over_time is None else self.over_time.at(now)


@dataclass(frozen=True, slots=True)
class OverTime:
    """The phases of a flag with a schedule: each begins at a time, the first has no beginning."""

    begins: tuple[float, ...]
    phases: tuple[CompiledFlag, ...]
    told: Callable[[float], str]

    def at(self, now: float) -> CompiledFlag:
        """Return the phase that `now`, in seconds since 1970, lies in."""
        return self.phases[bisect_right(self.begins, now)]
