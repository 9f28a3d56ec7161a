"""Points in time as people write and read them: with a zone, and never an hour that is there twice or not at all."""

from datetime import UTC, datetime, tzinfo

import typer

from app.cli.output import moment


def instant(text: str) -> datetime:
    """Read `2026-12-01T09:00+01:00`, or a time and a zone's name; without a zone it is this machine's own.

    Raises BadParameter, also for an hour that the zone's clocks leave out or show twice.
    """
    time, _, zone = text.strip().rpartition(" ")
    named = None if not time or zone[:1].isdigit() else _zone(zone)
    try:
        found = datetime.fromisoformat(text.strip() if named is None else time)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no time; give one such as 2026-12-01T09:00+01:00') from None
    if found.tzinfo is not None and named is not None:
        raise typer.BadParameter(f'"{text}" has two zones; give one of them')
    return found if found.tzinfo is not None else _on_the_clock(found, named)


def at_both(at: str) -> str:
    """Return a time of the API in UTC and, where that is another, in this machine's own zone."""
    here = datetime.fromisoformat(at).astimezone()
    told = moment(at)
    return told if not here.utcoffset() else f"{told} ({here:%Y-%m-%d %H:%M %Z})"


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - for who names a zone alone

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        told = f'this machine knows no zone "{name}"; give an offset: 2026-12-01T09:00+01:00'
        raise typer.BadParameter(told) from None


def _on_the_clock(time: datetime, zone: tzinfo | None) -> datetime:
    """Place what a clock shows in time; `zone` None is this machine's."""
    first, second = (each.replace(tzinfo=zone) if zone else each.astimezone() for each in (time, time.replace(fold=1)))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != time:
        raise typer.BadParameter(f"{time} is not there: clocks are put forward then")
    offsets = " or ".join(f"{each:%z}" for each in (first, second))
    raise typer.BadParameter(f"{time} is there twice, as clocks are put back; give its offset, {offsets}")
