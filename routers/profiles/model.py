"""The signals document: where an answer says how good it is."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Self

from pydantic import model_validator

from routers.compare.paths import Path, Step, Wild, parse
from routers.part import Part


class SignalPaths(Part):
    """Where the signals stand in an answer; what is None is where the route's profile says.

    `items` leads through one list to the ids of the results, best first; `scores` to their numbers or to one number.
    `cache_hit` is true, false or a share; `processing_ms` a number, or an object of numbers that are added up;
    `fallback` is why the backend itself fell back: a text, or true.
    """

    items: Path | None = None
    scores: Path | None = None
    cache_hit: Path | None = None
    tokens: Path | None = None
    cost: Path | None = None
    fallback: Path | None = None
    processing_ms: Path | None = None

    @cached_property
    def steps(self) -> Mapping[str, Sequence[Step]]:
        """The steps of every path there is, by its field."""
        return {field: parse(path) for field, path in self.given.items()}

    @property
    def given(self) -> dict[str, str]:
        """The paths there are, by their field."""
        return self.model_dump(exclude_none=True)

    def over(self, profile: "SignalPaths | None") -> "SignalPaths":
        """Take from the profile what is not given here."""
        return self if profile is None else SignalPaths.model_validate({**profile.given, **self.given})

    @model_validator(mode="after")
    def leads_where_a_signal_can_stand(self) -> Self:
        """Refuse items of no list or of several, and what is one value at several places."""
        for field, steps in self.steps.items():
            wild = [step for step in steps if isinstance(step, Wild)]
            if field == "items" and wild != [Wild.ANY]:
                raise ValueError('items must lead through one list, by exactly one [*], as in "$.items[*].id"')
            if field == "scores" and wild not in ([], [Wild.ANY]):
                raise ValueError("scores may lead through one list, by one [*]")
            if field not in {"items", "scores"} and wild:
                raise ValueError(f"{field} must lead to one place: no *, no ..")
        return self
