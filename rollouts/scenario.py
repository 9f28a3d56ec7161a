"""A scenario for a rehearsal: who calls how often, how each side behaves, and what changes when."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, JsonValue, NonNegativeFloat, PositiveFloat, ValidationError, model_validator

from flags.part import Part, Text
from rollouts.plan import DAY_S, Percentage, Seconds
from rollouts.refusals import refuse

Chances = Annotated[float, Field(ge=0, le=1)]
Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]


class Reported(Part):
    """What callers report of a call: how often, with which value (mean and standard deviation), and how long after."""

    rate: Chances
    value: float = 1.0
    spread: NonNegativeFloat = 0.0
    after_s: NonNegativeFloat = 30.0


class Behaviour(Part):
    """How a side answers: chances per call, latency as a log-normal's median and the spread of its logarithm.

    Without a `fallback_rate` of its own every error falls back. What is None is not measured: cache hits, the mean cost
    of a call, and the mean agreement of both sides' answers.
    """

    error_rate: Chances = 0.01
    fallback_rate: Chances | None = None
    latency_ms: PositiveFloat = 120.0
    latency_spread: Annotated[float, Field(ge=0, le=3)] = 0.5
    cache_hit_rate: Chances | None = None
    cost: NonNegativeFloat | None = None
    agreement: Chances | None = None
    outcomes: dict[Kind, Reported] = Field(default_factory=dict)


class Change(Part):
    """What is different from a moment on, or from the percentage on that the rollout reaches.

    `new` and `control` name the fields of the side that change.
    """

    from_s: Seconds | None = None
    from_percentage: Percentage | None = None
    new: dict[str, JsonValue] = Field(default_factory=dict)
    control: dict[str, JsonValue] = Field(default_factory=dict)
    calls_per_s: Annotated[float, Field(ge=0, le=10_000)] | None = None

    @model_validator(mode="after")
    def begins_once(self) -> Self:
        """Refuse a change that begins at no time, or at two."""
        if (self.from_s is None) == (self.from_percentage is None):
            raise ValueError('give exactly one of "from_s" and "from_percentage"')
        return self

    def is_on(self, at_s: float, highest: float) -> bool:
        """Whether it is there at a time, when `highest` is the highest percentage so far."""
        return at_s >= self.from_s if self.from_s is not None else highest >= (self.from_percentage or 0)


class Scenario(Part):
    """Invented traffic: `users` call at any one time, each of them `calls_per_user` times on average, or for ever.

    `daily` are 24 factors on `calls_per_s`, one for each hour (UTC). A person approves after `approve_after_s`, None
    for never. Everything ends after `duration_s` at the latest.
    """

    description: Text = ""
    seed: int = 1
    starts_at: AwareDatetime = datetime(2027, 1, 4, tzinfo=UTC)
    duration_s: Annotated[Seconds, Field(gt=0)] = 60 * DAY_S
    calls_per_s: Annotated[float, Field(ge=0, le=10_000)] = 10.0
    daily: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=24, max_length=24)] = (1.0,) * 24
    users: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    calls_per_user: Annotated[float, Field(ge=1)] | None = None
    control: Behaviour = Behaviour()
    new: Behaviour = Behaviour()
    changes: Annotated[tuple[Change, ...], Field(max_length=100)] = ()
    approve_after_s: NonNegativeFloat | None = 0.0

    @model_validator(mode="after")
    def changes_what_there_is(self) -> Self:
        """Refuse changes to what no side has."""
        refuse([fault for at, change in enumerate(self.changes) for fault in self._faults(f"changes.{at}", change)])
        return self

    def _faults(self, place: str, change: Change) -> Iterable[str]:
        for side, before in (("new", self.new), ("control", self.control)):
            try:
                _changed(before, getattr(change, side))
            except ValidationError as error:
                for each in error.errors():
                    yield f"{place}.{side}.{'.'.join(map(str, each['loc']))}: {each['msg']}"

    def sides(self, changes: Iterable[Change]) -> tuple[Behaviour, Behaviour]:
        """Return how the new side and the control behave while these changes are on; later ones win."""
        new, control = self.new, self.control
        for change in changes:
            new, control = _changed(new, change.new), _changed(control, change.control)
        return new, control

    def rate(self, at_s: float, changes: Iterable[Change]) -> float:
        """Return the calls a second at a time while these changes are on."""
        base = self.calls_per_s
        for change in changes:
            base = base if change.calls_per_s is None else change.calls_per_s
        start = self.starts_at.astimezone(UTC)
        hour = (start.hour + (start.minute * 60 + start.second + at_s) / 3600) % 24
        return base * self.daily[int(hour)]


def _changed(before: Behaviour, fields: dict[str, JsonValue]) -> Behaviour:
    return Behaviour.model_validate(before.model_dump() | fields) if fields else before
