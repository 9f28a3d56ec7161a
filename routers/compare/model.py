"""The comparison document: what of two answers is compared, and what counts as a difference."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from routers.compare.paths import Path, Step, Wild, parse
from routers.compare.rules import Ignored, Rule, Tolerance, Unordered
from routers.part import Part

MOST_RULES = 32


class Measure(StrEnum):
    """Which of a ranking's measures is its agreement."""

    RBO = "rbo"
    OVERLAP = "overlap"


class RankedComparison(Part):
    """Compare two ranked lists of ids: the first k, an earlier rank weighing more the smaller p is.

    `items` leads to the ids by way of the list, as in `$.recommendations[*].id`; `scores` to the number each was ranked
    by, so that ids of one score are tied in Kendall's tau. Without it their ranks are taken, and nothing ties.
    """

    kind: Literal["ranked"]
    items: Path
    scores: Path | None = None
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    p: Annotated[float, Field(ge=0.5, le=0.99)] = 0.9
    measure: Measure = Measure.RBO

    @cached_property
    def items_steps(self) -> Sequence[Step]:
        """The steps of `items`."""
        return parse(self.items)

    @cached_property
    def scores_steps(self) -> Sequence[Step] | None:
        """The steps of `scores`, if there are any."""
        return None if self.scores is None else parse(self.scores)

    @model_validator(mode="after")
    def names_one_list(self) -> Self:
        """Refuse paths that lead through no list or through two, and scores of another list than the ids'."""
        for field, steps in (("items", self.items_steps), ("scores", self.scores_steps)):
            if steps is not None and [step for step in steps if isinstance(step, Wild)] != [Wild.ANY]:
                raise ValueError(f'{field} must lead through one list, by exactly one [*], as in "$.items[*].id"')
        if self.scores_steps is not None and _list_of(self.scores_steps) != _list_of(self.items_steps):
            raise ValueError("scores must lead through the same list as items")
        return self


def _list_of(steps: Sequence[Step]) -> Sequence[Step]:
    return steps[: steps.index(Wild.ANY)]


class JsonComparison(Part):
    """Compare two JSON documents leaf by leaf; of rules for one place the first one counts.

    `additive` lets the candidate's objects have fields the control's have not. Lists are compared element by element
    unless they are named as unordered.
    """

    kind: Literal["json"]
    ignore: Annotated[tuple[Path, ...], Field(max_length=MOST_RULES)] = ()
    tolerances: Annotated[tuple[Tolerance, ...], Field(max_length=MOST_RULES)] = ()
    unordered: Annotated[tuple[Unordered, ...], Field(max_length=MOST_RULES)] = ()
    additive: bool = False

    @cached_property
    def rules(self) -> Sequence[Rule]:
        """What is said of places, in the order it is said in."""
        return (
            *((parse(path), Ignored.IGNORED) for path in self.ignore),
            *((parse(tolerance.path), tolerance) for tolerance in self.tolerances),
            *((parse(unordered.path), unordered) for unordered in self.unordered),
        )

    @model_validator(mode="after")
    def leaves_something(self) -> Self:
        """Refuse to ignore everything, and two rules for one path, of which one would never count."""
        if any(parse(path) in {(), (Wild.ANY,), (Wild.DEEP, Wild.ANY)} for path in self.ignore):
            raise ValueError("ignore leaves nothing to compare")
        for field, rules in (("tolerances", self.tolerances), ("unordered", self.unordered)):
            if len({parse(rule.path) for rule in rules}) != len(rules):
                raise ValueError(f"{field} names a path twice")
        return self


class TextComparison(Part):
    """Compare two texts by how much would have to be written anew: the body, or the string at a path into its JSON.

    White space counts as one blank, and upper and lower case as the same unless `case` says otherwise.
    """

    kind: Literal["text"]
    at: Path | None = None
    case: bool = False

    @cached_property
    def steps(self) -> Sequence[Step] | None:
        """The steps of `at`, if there are any."""
        return None if self.at is None else parse(self.at)

    @model_validator(mode="after")
    def names_one_place(self) -> Self:
        """Refuse a path that may lead to several places."""
        if any(isinstance(step, Wild) for step in self.steps or ()):
            raise ValueError("at must lead to one place: no *, no ..")
        return self


Comparison = Annotated[RankedComparison | JsonComparison | TextComparison, Field(discriminator="kind")]
"""What two answers are compared by; its kind must be named."""
