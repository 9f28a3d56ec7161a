"""A flag as its schedule has made it by a moment, and what a hand at that moment makes of it."""

from typing import NamedTuple

from .model import Flag
from .percentage import rolled_out
from .phases import phase_at, phases
from .schedule import Scheduled


def effective(flag: Flag, now: float) -> Flag:
    """Return the flag as it is in force at `now`, in seconds since 1970: the very same when nothing has begun.

    Entries that have begun are taken out, but for a ramp that runs: it goes on from what stands. From `now` on the
    document decides as the flag itself does.
    """
    if not flag.schedule or flag.schedule[0].begins > now:
        return flag
    enabled, default = phase_at(phases(flag), now).at(now)
    to_come = tuple(entry for entry in flag.schedule if entry.ends > now)
    return flag.model_copy(update={"enabled": enabled, "default": default, "schedule": to_come})


class ByHand(NamedTuple):
    """A flag in which what stands was written down, and the entries that went out of it for that."""

    flag: Flag
    dropped: tuple[Scheduled, ...]


def written_down(flag: Flag, now: float) -> ByHand:
    """Take every entry that has begun out of the schedule, a running ramp too, and leave what stands as it is."""
    standing = effective(flag, now)
    to_come = tuple(entry for entry in standing.schedule if entry.begins > now)
    dropped = tuple(entry for entry in flag.schedule if entry.begins <= now)
    return ByHand(standing.model_copy(update={"schedule": to_come}) if dropped else flag, dropped)


def rolled_out_by_hand(flag: Flag, percentage: float, now: float, variant: str | None = None) -> ByHand:
    """Give the variant `percentage` in the place of all that its schedule has begun; what is to come stays.

    Raises PercentageError as `rolled_out` does.
    """
    standing, dropped = written_down(flag, now)
    return ByHand(rolled_out(standing, percentage, variant), dropped)
