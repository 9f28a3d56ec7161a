"""What a JSON comparison says of which places, followed down a document step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Self

from pydantic import Field, model_validator

from routers.compare.paths import Path, Step, Wild, matches
from routers.part import Part


class Tolerance(Part):
    """How far two numbers may be apart to be the same: by an amount, or by a share of the larger one."""

    path: Path
    absolute: Annotated[float, Field(ge=0)] = 0.0
    relative: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def tolerates_something(self) -> Self:
        """Refuse a tolerance of nothing."""
        if not self.absolute and not self.relative:
            raise ValueError('give "absolute" or "relative", above 0')
        return self


class Unordered(Part):
    """A list whose order says nothing: elements are paired by the field `key`, or by their whole value without one."""

    path: Path
    key: Annotated[str, Field(min_length=1, max_length=256)] | None = None


class Ignored(Enum):
    """What a rule says that takes its place out of the comparison."""

    IGNORED = "ignored"


Rule = tuple[tuple[Step, ...], Ignored | Tolerance | Unordered]
"""The steps to the places a rule is about, and what it says of them."""

State = tuple[tuple[int, int], ...]
"""Which rules may still come true further down, and how many of its steps each has behind it."""


class Rules:
    """All rules, followed down one document: a state machine that is built as far as the document goes."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._named = {step for steps, _ in rules for step in steps if not isinstance(step, Wild)}
        self._spots: dict[State, Spot] = {}

    def start(self) -> "Spot":
        """Stand at the top of the document."""
        return self._spot(tuple((rule, 0) for rule in range(len(self._rules))))

    def below(self, spot: "Spot", step: str | int) -> "Spot":
        """Go one step down; all steps that no rule names lead to the same."""
        named = step if step in self._named else None
        found = spot.below.get(named)
        if found is None:
            found = spot.below[named] = self._spot(self._after(spot.state, step))
        return found

    def _spot(self, state: State) -> "Spot":
        found = self._spots.get(state)
        if found is None:
            said = [self._rules[rule][1] for rule, behind in state if behind == len(self._rules[rule][0])]
            found = self._spots[state] = Spot(
                state,
                Ignored.IGNORED in said,
                next((rule for rule in said if isinstance(rule, Tolerance)), None),
                next((rule for rule in said if isinstance(rule, Unordered)), None),
            )
        return found

    def _after(self, state: State, taken: str | int) -> State:
        after: list[tuple[int, int]] = []
        for rule, behind in state:
            steps = self._rules[rule][0]
            deep = behind < len(steps) and steps[behind] is Wild.DEEP
            if deep:
                after.append((rule, behind))
            following = behind + deep
            if following < len(steps) and matches(steps[following], taken):
                after.append((rule, following + 1))
        return tuple(after)


@dataclass(slots=True)
class Spot:
    """What the rules say of a place; the first of one kind counts."""

    state: State
    ignored: bool
    tolerance: Tolerance | None
    unordered: Unordered | None
    below: dict[str | int | None, "Spot"] = field(default_factory=dict)
