"""A flag ready to evaluate, and the state it is evaluated in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from .context import Context
from .decision import Decision
from .model import Flag


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
    """

    document: Flag
    invalid: Decision
    steps: tuple[tuple[str, Step], ...]
    last_name: str
    last: LastStep
