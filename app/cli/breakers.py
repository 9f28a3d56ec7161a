"""`crossfade breakers`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from app.cli.blocks import Block, Cell, Table, Tone, Toned
from app.cli.client import Service
from app.cli.command import command
from app.cli.output import Show, percent

commands = typer.Typer()

TONES: Mapping[str, Tone] = {
    "closed": Tone.GOOD,
    "open": Tone.BAD,
    "forced_open": Tone.BAD,
    "half_open": Tone.WARN,
    "slow_start": Tone.WARN,
    "forced_closed": Tone.WARN,
}


@command(commands, "breakers", "crossfade breakers", "crossfade breakers --json | jq .all_closed")
def breakers(service: Service, show: Show) -> None:
    """List the breaker of every backend, and what it sees."""
    show(service.get("/breakers"), lambda answer: _blocks(answer["items"]))


def _blocks(items: Sequence[dict[str, Any]]) -> Iterator[Block]:
    if not items:
        yield "There are no breakers, because there are no routes yet: POST /routes or a seed file makes one."
        return
    yield breakers_table(items)


def breakers_table(items: Sequence[dict[str, Any]]) -> Table:
    """Return breakers with the counts of their windows, and whether these are the fleet's or one process's."""
    rows = [
        [
            each["route"],
            each["backend"],
            breaker_state(each),
            each["scope"],
            str(each["calls"]),
            percent(each["failure_rate"]),
            percent(each["slow_call_rate"]),
            str(each["in_flight"]),
            percent(each["share"]),
            f"{each['retry_after_s']:.1f} s" if each["retry_after_s"] else "-",
        ]
        for each in items
    ]
    return Table(
        ["ROUTE", "BACKEND", "BREAKER", "OF", "CALLS", "FAILED", "SLOW", "IN FLIGHT", "LET IN", "RETRY IN"], rows
    )


def breaker_state(breaker: Mapping[str, Any]) -> Cell:
    """Tell a breaker's state."""
    state = breaker["state"]
    return Toned(state.replace("_", " "), TONES.get(state, Tone.WARN))
