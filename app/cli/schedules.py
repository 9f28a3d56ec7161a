"""`crossfade flags schedule`: what a flag will do by itself, and when."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Cell, Fields, Table, Tone, Toned
from app.cli.client import Service, part
from app.cli.command import Key, Reason, command, usage
from app.cli.instants import at_both, instant
from app.cli.output import Show, percent
from app.cli.rollout import percentage
from app.cli.words import entry_text, served, unchanged_warning

commands = typer.Typer()

NOTHING_TO_COME = "nothing is to come"

TONES = {"running": Tone.STRONG, "done": Tone.DIM}


def _ramp(text: str) -> dict[str, float]:
    low, colon, high = text.partition(":")
    if not colon:
        raise typer.BadParameter(f'"{text}" is no ramp; give two percentages, such as 0:50')
    return {"from": percentage(low), "to": percentage(high)}


@command(
    commands,
    "schedule",
    "crossfade flags schedule rag-v2",
    'crossfade flags schedule rag-v2 --at "2026-12-01 09:00 Europe/Berlin" --percentage 50',
    "crossfade flags schedule rag-v2 --ramp 0:50 --from 2026-12-01T09:00Z --until 2026-12-08T09:00Z",
    "crossfade flags schedule rag-v2 --at 2026-12-24T12:00+01:00 --disable",
    "crossfade flags schedule rag-v2 --clear",
)
def schedule(
    service: Service,
    show: Show,
    key: Key,
    at: Annotated[
        datetime | None,
        typer.Option("--at", "--from", parser=instant, metavar="TIME", help="When it happens, or a ramp begins."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=instant, metavar="TIME", help="When a ramp has reached its end.")
    ] = None,
    share: Annotated[
        float | None, typer.Option("--percentage", parser=percentage, metavar="PERCENT", help="Set the percentage.")
    ] = None,
    ramp: Annotated[
        dict[str, float] | None,
        typer.Option(parser=_ramp, metavar="A:B", help="Let the percentage go from A to B in a straight line."),
    ] = None,
    variant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who gets the percentage; else the growing variant.")
    ] = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Enable or disable the flag.")] = None,
    serve: Annotated[str | None, typer.Option(metavar="NAME", help="Serve this variant to everyone.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Take it all out; the flag stays as it is now.")] = False,
    reason: Reason = "",
) -> None:
    """Show what a flag does by itself and when, or add to that.

    A time has a zone: 2026-12-01T09:00+01:00, "2026-12-01 09:00 Europe/Berlin"; without one it is of this machine.
    """
    path = f"/flags/{part(key)}/schedule"
    entry = _entry(at, until, percentage=share, ramp=ramp, variant=variant, enabled=enable, serve=serve)
    if clear and entry:
        raise usage("--clear takes everything out; it goes with no other option but --reason.")
    if entry:
        _check(entry)
    if clear:
        found = service.delete(path, {"reason": reason})
    elif entry:
        found = service.post(path, {"entry": entry, "reason": reason})
    else:
        found = service.get(path)
    show(found.having("entries"), _shown)


def _check(entry: dict[str, Any]) -> None:
    """Refuse an entry that does not say when, what and, of a ramp, until when."""
    if "at" not in entry:
        raise usage("Say when: --at TIME, or --from TIME for a ramp.")
    if len(entry.keys() & {"percentage", "ramp", "enabled", "serve"}) != 1:
        raise usage("Say what happens then, by one of --percentage, --ramp, --enable, --disable and --serve.")
    if "ramp" in entry and "until" not in entry:
        raise usage("Say when the ramp ends: --until TIME.")
    if "until" in entry and "ramp" not in entry:
        raise usage("--until is the end of a ramp; give --ramp A:B too.")


def _entry(at: datetime | None, until: datetime | None, serve: str | None, **given: Any) -> dict[str, Any]:
    """Return what was given as an entry of a schedule, which is empty when nothing was."""
    times = {"at": at and at.isoformat(), "until": until and until.isoformat()}
    served_then = None if serve is None else {"variant": serve}
    return {name: value for name, value in {**times, **given, "serve": served_then}.items() if value is not None}


def _shown(found: dict[str, Any]) -> Iterator[Block]:
    yield Fields([("flag", found["flag"]), ("now", _now(found)), ("next", next_text(found))])
    if found["entries"]:
        yield ""
        yield Table(["AT", "DOES", "STATE"], [_row(entry) for entry in found["entries"]])
    rules = found.get("unchanged_rules")
    if rules and any({"percentage", "ramp"} & entry.keys() for entry in found["entries"] if entry["state"] != "done"):
        yield ""
        yield unchanged_warning(rules)


def _now(found: dict[str, Any]) -> Cell:
    if found["killed"]:
        return Toned(f"killed: everyone gets the safe side; without the kill it is {in_force_text(found)}", Tone.BAD)
    return in_force_text(found) if found["enabled"] else Toned("disabled", Tone.DIM)


def in_force_text(found: dict[str, Any]) -> str:
    """Tell what a schedule has made of a flag by now, whether it is killed or not."""
    if not found["enabled"]:
        return "disabled"
    if "variant" in found["default"]:
        return served(found["default"])
    return f"{percent(found['percentage'] / 100)} {found['variant']} ({served(found['default'])})"


def next_text(found: dict[str, Any]) -> str:
    """Tell where a ramp that runs leads, and what comes next."""
    running = [entry for entry in found["entries"] if entry["state"] == "running"]
    coming = [f"{entry['ramp']['to']:g} % at {at_both(entry['until'])}" for entry in running]
    if found["next"] is not None:
        coming.append(f"{entry_text(found['next'])} at {at_both(found['next']['at'])}")
    return ", then ".join(coming) or NOTHING_TO_COME


def _row(entry: dict[str, Any]) -> list[Cell]:
    state = entry["state"].replace("_", " ")
    when = at_both(entry["at"]) + (f", until {at_both(entry['until'])}" if "until" in entry else "")
    return [when, entry_text(entry), Toned(state, TONES[entry["state"]]) if entry["state"] in TONES else state]
