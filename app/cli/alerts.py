"""`crossfade alerts`: what other systems have raised, and what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Cell, Table, Tone, Toned
from app.cli.client import Service
from app.cli.command import command
from app.cli.output import Show, moment

commands = typer.Typer()

TONES = {"critical": Tone.BAD, "error": Tone.BAD, "warning": Tone.WARN}

Severity = Annotated[
    str | None, typer.Option("--severity", metavar="SEVERITY", help="Only info, warning, error or critical.")
]
Route = Annotated[str | None, typer.Option("--route", metavar="ROUTE", help="Only of this route.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="How many, newest first.")]


@command(
    commands,
    "alerts",
    "crossfade alerts",
    "crossfade alerts --severity critical --route rag",
    "crossfade alerts --json | jq '.items[].did'",
)
def alerts(service: Service, show: Show, severity: Severity = None, route: Route = None, limit: Limit = 50) -> None:
    """List the alerts that came in, and what was done about them."""
    show(
        service.get("/alerts/webhook", severity=severity, route=route, limit=limit).having("items"),
        lambda found: _blocks(found["items"]),
    )


def _blocks(items: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    if not items:
        yield Toned("No alerts.", Tone.GOOD)
        return
    yield Table(["ALERT", "SEVERITY", "ROUTE", "LAST", "TIMES", "DID", "ABOUT"], [_row(each) for each in items])


def _row(item: Mapping[str, Any]) -> Sequence[Cell]:
    did = item["did"].replace("_", " ")
    return [
        item["type"] if item["status"] == "firing" else f"{item['type']} (resolved)",
        _toned(item["severity"]),
        item["route"] or "-",
        moment(item["last_at"]),
        str(item["times"]),
        did if item["did"] == "nothing" else Toned(did, Tone.BAD),
        _about(item),
    ]


def _toned(severity: str) -> Cell:
    return Toned(severity, TONES[severity]) if severity in TONES else severity


def _about(item: Mapping[str, Any]) -> str:
    numbers = "" if item["value"] is None else f"{item['value']:g}"
    numbers += "" if item["threshold"] is None else f" (threshold {item['threshold']:g})"
    return "; ".join(part for part in (numbers, item["summary"], item["note"]) if part) or "-"
