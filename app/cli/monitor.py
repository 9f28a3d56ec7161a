"""`crossfade monitor`: how the sides of every route do, side by side."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Cell, Table, Tone, Toned
from app.cli.breakers import TONES as BREAKER_TONES
from app.cli.client import Service
from app.cli.command import command
from app.cli.exits import CommandError, Exit
from app.cli.figures import change, columns, each_of, estimate, label
from app.cli.output import Show, moment, percent

commands = typer.Typer()

EVERY_S = 5.0

ALERT_TONES: Mapping[str, Tone] = {"critical": Tone.BAD, "error": Tone.BAD, "warning": Tone.WARN}

RouteName = Annotated[str | None, typer.Option("--route", metavar="ROUTE", help="Of this route only.")]
Within = Annotated[str, typer.Option("--range", metavar="SPAN", help="How far back: 1h, 24h, 7d or 30d.")]
Continuous = Annotated[bool, typer.Option("--continuous", "-c", help="Show it again every 5 s, until Ctrl-C.")]

Document = Mapping[str, Any]


@command(
    commands,
    "monitor",
    "crossfade monitor",
    "crossfade monitor --route rag --range 1h --continuous",
    "crossfade monitor --json | jq '.routes[].differences'",
)
def monitor(
    service: Service, show: Show, route: RouteName = None, within: Within = "24h", continuous: Continuous = False
) -> None:
    """Show what came of each side's calls, with intervals.

    A difference is marked better or worse where the 95 % intervals of both sides do not overlap. Calls count for the
    side that the flag decided, whoever answered. With `--continuous --json` each refresh is one line.
    """
    found = service.get("/monitoring/dashboard", range=within, route=route)
    if not continuous:
        show(found, blocks)
        return
    try:
        while True:
            _refresh(show, found)
            time.sleep(EVERY_S)
            found = _again(service, found, range=within, route=route)
    except KeyboardInterrupt:
        return


def _again(service: Service, before: Any, **query: Any) -> Any:
    """Return what is there now; while nobody answers, what was there before, and say so."""
    try:
        return service.get("/monitoring/dashboard", **query)
    except CommandError as error:
        if error.code is not Exit.UNREACHABLE:
            raise
        typer.echo(f"Error: {error}", err=True)
        return before


def _refresh(show: Show, found: Any) -> None:
    if show.as_json:
        typer.echo(json.dumps(found))
        return
    from app.cli.terminal import clear  # noqa: PLC0415 - rich is slow to import, and not always needed

    clear()
    show(found, blocks)


def blocks(found: Document) -> Iterator[Block]:
    """Tell a dashboard: each route with its sides, rollouts and breakers that need a look."""
    yield Toned(f"Since {moment(found['since'])}, all processes, 95 % intervals", Tone.DIM)
    if not found["routes"]:
        yield "There are no routes yet: POST /routes or a seed file makes one."
    for route in found["routes"]:
        yield ""
        yield from _route(route)
    if found["rollouts"]:
        yield ""
        yield Toned("Rollouts", Tone.STRONG)
        yield _rollouts(found["rollouts"])
    if found["alerts"]:
        yield ""
        yield Toned("Alerts", Tone.STRONG)
        yield _alerts(found["alerts"])


def _route(route: Document) -> Iterator[Block]:
    served = ", ".join(f"{percent(each['percentage'] / 100)} {each['variant']}" for each in route["served"])
    yield Toned(f"Route {route['route']}{f': {served}' if served else ''}", Tone.STRONG)
    if not route["exists"]:
        yield Toned("The route is gone.", Tone.WARN)
    if route["killed"]:
        yield Toned("Killed: everyone gets the safe side.", Tone.BAD)
    for breaker in route["breakers"]:
        if breaker["state"] != "closed" or breaker["opened"]:
            told = f"Breaker of {breaker['backend']}: {breaker['state'].replace('_', ' ')}, opened: {breaker['opened']}"
            yield Toned(told, BREAKER_TONES.get(breaker["state"], Tone.WARN))
    if route["sides"]:
        yield _sides(route)
    else:
        yield Toned("No call was counted.", Tone.DIM)


def _sides(route: Document) -> Table:
    """Put the control first, and beside every other side what it differs by."""
    control = route["control"]
    sides = sorted(route["sides"], key=lambda each: each["side"] != control)
    changes = {each["side"]: {one["figure"]: one for one in each["figures"]} for each in route["differences"]}
    figures = {each["side"]: dict(each_of(each["figures"])) for each in sides}
    names = dict.fromkeys(name for those in figures.values() for name, each in those.items() if each is not None)
    rows = [
        _row("calls", sides, changes, lambda side: f"{side['figures']['calls']:,} ({_share(side)})"),
        *(
            [label(name), *(cell for side in sides for cell in _cells(name, side["side"], figures, changes))]
            for name in names
        ),
        _row("cost in all", sides, changes, lambda side: f"{side['figures']['cost_total']:.4g}"),
    ]
    heads = [head for side in sides for head in _heads(side["side"], changes)]
    return Table(columns(["figure", *heads]), rows)


def _row(name: str, sides: Sequence[Document], changes: Document, told: Any) -> list[Cell]:
    return [name, *(cell for side in sides for cell in [told(side), *([""] if side["side"] in changes else [])])]


def _heads(side: str, changes: Document) -> list[str]:
    return [side, "difference"] if side in changes else [side]


def _cells(name: str, side: str, figures: Document, changes: Document) -> list[Cell]:
    found = estimate(name, figures[side].get(name))
    if side not in changes:
        return [found]
    difference = changes[side].get(name)
    return [found, "" if difference is None else change(difference)]


def _share(side: Document) -> str:
    share = side["figures"]["share"]
    return "-" if share is None else percent(round(share, 4))


def _rollouts(rollouts: Sequence[Document]) -> Table:
    rows: list[list[Cell]] = [
        [
            each["id"],
            each["route"],
            each["state"].replace("_", " "),
            f"{each['step'] + 1} of {each['steps']}",
            percent(each["percentage"] / 100),
            each["why"] or "-",
        ]
        for each in rollouts
    ]
    return Table(["ROLLOUT", "ROUTE", "STATE", "STEP", "PERCENT", "WHY"], rows)


def _alerts(alerts: Sequence[Document]) -> Table:
    rows: list[list[Cell]] = [
        [
            moment(each["last_at"]),
            f"{each['times']}",
            each["route"] or "-",
            Toned(each["told"], ALERT_TONES.get(each["severity"], Tone.DIM)),
            each["did"].replace("_", " "),
        ]
        for each in alerts
    ]
    return Table(["LAST CAME", "TIMES", "ROUTE", "ALERT", "DID"], rows)
