"""What a flag does by itself at set times; every process reads it with its own clock, and no job runs."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, Strict, model_validator

from .names import Key
from .part import Part, is_none
from .serve import Serve

MAX_ENTRIES = 64

Percent = Annotated[float, Field(ge=0, le=100)]
"""A percentage of everyone, in steps of 0.001 %."""


class Ramp(Part):
    """A percentage that goes from one to another in a straight line."""

    from_: Annotated[Percent, Field(alias="from")]
    to: Percent


class Scheduled(Part):
    """One thing that happens at a time: a percentage, a ramp that ends at `until`, on or off, or what to serve.

    `variant` is the one that a percentage is about, as in `PUT /flags/{key}/rollout`.
    """

    at: AwareDatetime
    until: Annotated[AwareDatetime | None, Field(exclude_if=is_none)] = None
    percentage: Annotated[Percent | None, Field(exclude_if=is_none)] = None
    ramp: Annotated[Ramp | None, Field(exclude_if=is_none)] = None
    variant: Annotated[Key | None, Field(exclude_if=is_none)] = None
    enabled: Annotated[bool, Strict()] | None = Field(default=None, exclude_if=is_none)
    serve: Annotated[Serve | None, Field(exclude_if=is_none)] = None

    @model_validator(mode="after")
    def is_one_thing(self) -> Self:
        """Refuse none or several things at once, and a ramp that has no end behind its beginning."""
        given = (self.percentage, self.ramp, self.enabled, self.serve)
        if sum(each is not None for each in given) != 1:
            raise ValueError('give exactly one of "percentage", "ramp", "enabled" and "serve"')
        if (self.ramp is None) != (self.until is None):
            raise ValueError('"until" says when a ramp ends: give both or neither')
        if self.until is not None and self.until <= self.at:
            raise ValueError('"until" must be later than "at"')
        if self.variant is not None and self.percentage is None and self.ramp is None:
            raise ValueError('"variant" says what a percentage or a ramp is about')
        return self


Schedule = Annotated[tuple[Scheduled, ...], Field(max_length=MAX_ENTRIES)]


def check_order(schedule: tuple[Scheduled, ...]) -> None:
    """Raise ValueError unless every entry begins after the one before has begun, and ended."""
    for before, after in pairwise(schedule):
        if after.at < (before.until or before.at) or after.at == before.at:
            raise ValueError(f"schedule: {after.at.isoformat()} must come after what stands before it")
