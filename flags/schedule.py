"""What a flag does by itself at set times; every process reads it with its own clock, and no job runs."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, Strict, model_validator

from .growing import weight_of
from .names import Key
from .part import Part, is_none
from .serve import Serve

MAX_ENTRIES = 64
FIRST, LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""The first moment that any zone can write as a date, and the one behind the last."""


def _is_in_whole_steps(percentage: float) -> float:
    return weight_of(percentage) / 1000


def _is_text(value: object) -> object:
    """Refuse what pydantic would take for seconds since 1970, and a zone's name, which it would tell nothing of."""
    if not isinstance(value, str | datetime) or (isinstance(value, str) and not _has_no_name(value)):
        raise ValueError('give a time with its zone like "2026-12-01T09:00:00+01:00"')
    return value


def _has_no_name(value: str) -> bool:
    return "-" in value[1:] and value[-1] in "0123456789Zz"


def _is_in_reach(moment: datetime) -> datetime:
    if not FIRST <= moment < LAST:
        raise ValueError("give a time from 1970-01-02 up to the year 9998")
    return moment


Percent = Annotated[float, Field(ge=0, le=100, strict=True), AfterValidator(_is_in_whole_steps)]
"""A percentage of everyone, in steps of 0.001 %."""

Instant = Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(_is_in_reach)]
"""A point in time, whatever the zone it is written in: no clock that is put forward or back moves it."""


class Ramp(Part):
    """A percentage that goes from one to another in a straight line."""

    from_: Annotated[Percent, Field(alias="from")]
    to: Percent


class Scheduled(Part):
    """One thing that happens at a time: a percentage, a ramp that ends at `until`, on or off, or what to serve.

    `variant` is the one that a percentage is about, as in `PUT /flags/{key}/rollout`.
    """

    at: Instant
    until: Annotated[Instant | None, Field(exclude_if=is_none)] = None
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

    @property
    def begins(self) -> float:
        """When it begins to act, in seconds since 1970."""
        return self.at.timestamp()

    @property
    def ends(self) -> float:
        """When it has done all it does, in seconds since 1970: for all but a ramp when it begins."""
        return (self.until or self.at).timestamp()

    def told(self) -> str:
        """Say what it does, in ASCII."""
        of = f" {self.variant}" if self.variant else ""
        if self.ramp is not None:
            return f"ramp {self.ramp.from_:g} to {self.ramp.to:g} %{of}"
        if self.percentage is not None:
            return f"{self.percentage:g} %{of}"
        if self.enabled is not None:
            return "enable" if self.enabled else "disable"
        return f"serve {' or '.join(self.serve.variants() if self.serve else ())}"


Schedule = Annotated[tuple[Scheduled, ...], Field(max_length=MAX_ENTRIES)]


def check_order(schedule: tuple[Scheduled, ...]) -> None:
    """Raise ValueError unless every entry begins after the one before has begun, and ended."""
    for before, after in pairwise(schedule):
        if after.at < (before.until or before.at) or after.at == before.at:
            raise ValueError(f"schedule: {after.at.isoformat()} must come after what stands before it")
