"""The signals document: where an answer says how good it is."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import model_validator

from routers.compare.paths import ABSENT, Path, Wild, parse
from routers.part import Part
from routers.profiles.finding import Find, finder, list_finder


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
    def finders(self) -> Mapping[str, Find]:
        """What looks up each field that stands at one place."""
        given = {field: parse(path) for field, path in self.given.items()}
        found = {field: finder(steps) for field, steps in given.items() if Wild.ANY not in steps}
        return {field: found.get(field, _nowhere) for field in SignalPaths.model_fields}

    @cached_property
    def item_finder(self) -> tuple[Find, Find] | None:
        """What looks up the list of results, and then their ids; None if they are nowhere."""
        return None if self.items is None else list_finder(parse(self.items))

    @cached_property
    def score_finder(self) -> tuple[Find, Find] | None:
        """What looks up the list of results, and then their scores; None if that is no list."""
        steps = () if self.scores is None else parse(self.scores)
        return list_finder(steps) if Wild.ANY in steps else None

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
        for field, path in self.given.items():
            wild = [step for step in parse(path) if isinstance(step, Wild)]
            if field == "items" and wild != [Wild.ANY]:
                raise ValueError('items must lead through one list, by exactly one [*], as in "$.items[*].id"')
            if field == "scores" and wild not in ([], [Wild.ANY]):
                raise ValueError("scores may lead through one list, by one [*]")
            if field not in {"items", "scores"} and wild:
                raise ValueError(f"{field} must lead to one place: no *, no ..")
        return self


def _nowhere(_document: Any) -> Any:
    return ABSENT
