"""How commands show what they found: as blocks, or JSON for machines."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

import typer

from app.cli.blocks import Render


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


def moment(at: str | None, to: Literal["minutes", "seconds"] = "minutes") -> str:
    """Return a time of the API, to the minute or second and in UTC; `-` for none."""
    if at is None:
        return "-"
    time = datetime.fromisoformat(at).astimezone(UTC).replace(tzinfo=None)
    return f"{time.isoformat(sep=' ', timespec=to)} UTC"


def ago(at: str, now: datetime) -> str:
    """Return how long ago a time of the API was, in its largest unit."""
    seconds = int((now - datetime.fromisoformat(at)).total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{max(seconds, 0)} s ago"
