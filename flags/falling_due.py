"""When schedules change what is served: next, last, and what they did within a time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .effective import effective
from .model import Flag
from .schedule import Scheduled

RAMP_STEP_S = 60
"""A ramp that runs counts as a change so often, from its beginning on."""


def next_change(flags: Iterable[Flag], now: float) -> float | None:
    """Return when, after `now`, a schedule of these flags next changes what is served, None for never.

    Times are in seconds since 1970; of all flags it looks at those alone that have a schedule.
    """
    times = (time for flag in flags for entry in flag.schedule if (time := _next_of(entry, now)) is not None)
    return min(times, default=None)


def _next_of(entry: Scheduled, now: float) -> float | None:
    begins, ends = entry.begins, entry.ends
    if now < begins:
        return begins
    if now >= ends:
        return None
    return min(begins + (_steps(begins, now) + 1) * RAMP_STEP_S, ends)


def _steps(begins: float, now: float) -> int:
    """Return how many whole steps a ramp has run; to the microsecond, below which such floats say nothing."""
    return round((now - begins) * 1_000_000) // (RAMP_STEP_S * 1_000_000)


def last_change(flags: Iterable[Flag], now: float) -> float | None:
    """Return when, up to `now`, a schedule of these flags last changed what is served, None for never yet.

    Between two calls nothing has changed by the clock alone if this is the same.
    """
    times = (time for flag in flags for entry in flag.schedule if (time := _last_of(entry, now)) is not None)
    return max(times, default=None)


def _last_of(entry: Scheduled, now: float) -> float | None:
    begins, ends = entry.begins, entry.ends
    if now < begins:
        return None
    return ends if now >= ends else begins + _steps(begins, now) * RAMP_STEP_S


class Happened(NamedTuple):
    """What a schedule did at a time, in seconds since 1970, and the flag as it was in force from then on."""

    at: float
    told: str
    flag: Flag


def happened(flag: Flag, since: float, until: float) -> Sequence[Happened]:
    """Return what the schedule of one version did behind `since` and up to `until`, oldest first."""
    return [
        Happened(at, told, effective(flag, at))
        for entry in flag.schedule
        for at, told in _moments(entry)
        if since < at <= until
    ]


def begun(flag: Flag, at: float) -> Happened | None:
    """Return what the schedule of a version that was written at a time had begun by then; None when nothing."""
    last = next((entry for entry in reversed(flag.schedule) if entry.begins <= at), None)
    return None if last is None else Happened(at, f"{last.told()}: since {last.at.isoformat()}", effective(flag, at))


def _moments(entry: Scheduled) -> Iterator[tuple[float, str]]:
    yield entry.begins, entry.told() if entry.ramp is None else f"{entry.told()}: began"
    if entry.ramp is not None:
        yield entry.ends, f"{entry.told()}: ended"
