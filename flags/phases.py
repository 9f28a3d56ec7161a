"""What a schedule makes of a flag: phases in order, each with what stands in it."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from .growing import PercentageError, grown, weight_of
from .schedule import Scheduled
from .serve import Serve


class Timed(Protocol):
    """What a schedule acts on: a flag."""

    @property
    def enabled(self) -> bool:
        """Whether it is enabled before the first entry."""

    @property
    def default(self) -> Serve:
        """What it serves before the first entry."""

    @property
    def variants(self) -> Mapping[str, object]:
        """Its variants by name."""

    @property
    def off_variant(self) -> str:
        """Its safe variant."""

    @property
    def schedule(self) -> tuple[Scheduled, ...]:
        """Its entries, in order."""


class Standing(NamedTuple):
    """What of a flag a schedule changes."""

    enabled: bool
    default: Serve


class Line(NamedTuple):
    """A ramp that runs: from `first` on by `change` hundred-thousandths, within `length` microseconds of its beginning.

    It begins at a time in seconds since 1970.
    """

    begins: float
    length: int
    first: int
    change: int

    def weight(self, now: float) -> int:
        """Return the weight in force from the beginning on: monotone, and exact at both ends and after the second."""
        begins, length, first, change = self
        passed = int((now - begins) * 1_000_000)
        return first + change * passed // length if passed < length else first + change


class Phase(NamedTuple):
    """A time in which one entry, number `entry` from 0, has the last word; None before all.

    `standing` is what stands when it begins; while a `line` runs, the default is `grown` to the line's weight.
    """

    begins: float
    entry: int | None
    standing: Standing
    flag: Timed
    line: Line | None = None

    def weight(self, now: float) -> int | None:
        """Return what a running ramp gives its variant, in hundred-thousandths; None when none runs."""
        return None if self.line is None else self.line.weight(now)

    def at(self, now: float) -> Standing:
        """Return what stands at a time in the phase, or where it ends."""
        weight = self.weight(now)
        return self.standing if weight is None else self.given(weight)

    def given(self, weight: int) -> Standing:
        """Return what stands while a ramp gives its variant so much."""
        enabled, default = self.standing
        return Standing(enabled, grown(default, weight, None, self.flag.variants, self.flag.off_variant))


def phases(flag: Timed) -> tuple[Phase, ...]:
    """Return the flag's phases in order, the first without beginning.

    Raises PercentageError for an entry that cannot be applied to what stands when its time comes.
    """
    found = [Phase(-math.inf, None, Standing(flag.enabled, flag.default), flag)]
    for number, entry in enumerate(flag.schedule):
        try:
            found += _phases_of(flag, number, entry, found[-1].standing)
        except PercentageError as error:
            raise PercentageError(f"schedule.{number}: {error}") from error
    return tuple(found)


def phase_at(found: Sequence[Phase], now: float) -> Phase:
    """Return the phase that `now`, in seconds since 1970, lies in."""
    return found[bisect_right(found, now, key=lambda phase: phase.begins) - 1]


def _phases_of(flag: Timed, number: int, entry: Scheduled, before: Standing) -> Iterator[Phase]:
    if entry.ramp is None:
        yield Phase(entry.begins, number, _after(flag, entry, before), flag)
        return
    first, last = weight_of(entry.ramp.from_), weight_of(entry.ramp.to)
    line = Line(entry.begins, int((entry.ends - entry.begins) * 1_000_000), first, last - first)
    rising, risen = (before._replace(default=_grown(flag, entry, before, weight)) for weight in (first, last))
    yield Phase(entry.begins, number, rising, flag, line)
    yield Phase(entry.ends, number, risen, flag)


def _after(flag: Timed, entry: Scheduled, before: Standing) -> Standing:
    if entry.enabled is not None:
        return before._replace(enabled=entry.enabled)
    if entry.percentage is not None:
        return before._replace(default=_grown(flag, entry, before, weight_of(entry.percentage)))
    return before._replace(default=entry.serve or before.default)


def _grown(flag: Timed, entry: Scheduled, before: Standing, weight: int) -> Serve:
    return grown(before.default, weight, entry.variant, flag.variants, flag.off_variant)
