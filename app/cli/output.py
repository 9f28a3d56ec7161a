"""What commands show, as plain data: tables, fields and lines, or JSON for machines."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import typer


class Tone(StrEnum):
    """What a word means to whoever reads it; a terminal shows it as a colour."""

    GOOD = "green"
    BAD = "bold red"
    WARN = "yellow"
    STRONG = "bold"
    DIM = "dim"


class Toned(NamedTuple):
    """A text with a meaning."""

    text: str
    tone: Tone


Cell = str | Toned


class Table(NamedTuple):
    """Rows below column names."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Fields(NamedTuple):
    """Names and what they hold, one pair a line."""

    pairs: Sequence[tuple[str, Cell]]


Block = Cell | Table | Fields
Render = Callable[[Any], Iterable[Block]]


class Show:
    """Shows what a command found: as JSON when asked, else as a person reads it."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def __call__(self, document: Any, render: Render) -> None:
        """Write the document itself, or what `render` makes of it, to standard output."""
        if self.as_json:
            typer.echo(json.dumps(document, indent=2))
            return
        from app.cli.terminal import print_blocks  # noqa: PLC0415 - rich is slow to import, and not always needed

        print_blocks(render(document))


def percent(part: float) -> str:
    """Return a share of 0 to 1 as people write it."""
    return f"{round(part * 100, 3):g} %"


def moment(at: str | None) -> str:
    """Return a time of the API, to the minute and in UTC; `-` for none."""
    if at is None:
        return "-"
    return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def ago(at: str, now: datetime) -> str:
    """Return how long ago a time of the API was, in its largest unit."""
    seconds = int((now - datetime.fromisoformat(at)).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{max(seconds, 0)} s ago"
