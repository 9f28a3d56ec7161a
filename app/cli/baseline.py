"""`crossfade baseline …`: keep figures under a name, and see what became better or worse since."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Table, Tone, Toned
from app.cli.client import Service, part
from app.cli.command import command, group
from app.cli.exits import Exit
from app.cli.figures import change, estimate, label
from app.cli.monitor import RouteName, Within
from app.cli.output import Show, moment

commands = group("Keep figures under a name, and compare later ones with them.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The baseline's name.")]


@command(commands, "save", "crossfade baseline save before-rag-v2 --route rag --range 7d")
def save(service: Service, show: Show, name: Name, route: RouteName = None, within: Within = "24h") -> None:
    """Keep the figures of a range that ends now.

    Everybody who talks to the service sees it; what had the name before is replaced.
    """
    saved = service.put(f"/monitoring/baselines/{part(name)}", {"route": route, "range": within}).having("routes")
    calls = sum(side["figures"]["calls"] for each in saved["routes"] for side in each["sides"])
    told = f'Baseline "{name}" holds {calls:,} calls of {len(saved["routes"])} routes since {moment(saved["since"])}.'
    show(saved, lambda _: [told])


@command(
    commands,
    "compare",
    "crossfade baseline compare before-rag-v2",
    "crossfade baseline compare before-rag-v2 --json | jq '.worse'",
)
def compare(service: Service, show: Show, name: Name) -> None:
    """Show what became better and worse since a baseline.

    Compared is as long a range that ends now. What changed did so beyond chance if the 95 % intervals do not overlap.
    Ends with 1 if something is worse, or if nothing was counted that could be compared; else with 0.
    """
    found = service.get(f"/monitoring/baselines/{part(name)}/comparison").having("worse")
    show(found, blocks)
    if found["worse"] or not any(item["figures"] for item in found["items"]):
        raise typer.Exit(Exit.REFUSED)


@command(commands, "list", "crossfade baseline list")
def every(service: Service, show: Show) -> None:
    """List baselines."""
    show(service.every("/monitoring/baselines"), lambda found: _list(found["items"]))


@command(commands, "delete", "crossfade baseline delete before-rag-v2")
def delete(service: Service, show: Show, name: Name) -> None:
    """Forget a baseline."""
    service.delete(f"/monitoring/baselines/{part(name)}", None)
    show({"name": name, "deleted": True}, lambda _: [f'Baseline "{name}" is gone.'])


def blocks(found: Mapping[str, Any]) -> Iterator[Block]:
    """Tell what became of a baseline's figures."""
    head = found["baseline"]
    spans = [f"{moment(each['since'])} to {moment(each['until'])}" for each in (head, found)]
    yield Toned(f"Baseline {head['name']}: {spans[0]}; now: {spans[1]}", Tone.STRONG)
    if found["note"]:
        yield Toned(f"{found['note'][0].upper()}{found['note'][1:]}.", Tone.WARN)
    for item in found["items"]:
        if item["figures"]:
            yield ""
            yield Toned(f"Route {item['route']}, {item['side']}", Tone.STRONG)
            yield _changes(item)
    yield ""
    tone = Tone.BAD if found["worse"] else Tone.GOOD
    yield Toned(f"Beyond chance, {found['better']} figures are better and {found['worse']} worse.", tone)


def _changes(item: Mapping[str, Any]) -> Table:
    rows = [
        [
            label(each["figure"]),
            estimate(each["figure"], each["other"]),
            estimate(each["figure"], each["one"]),
            change(each),
        ]
        for each in item["figures"]
    ]
    return Table(["FIGURE", "BEFORE", "NOW", "CHANGE"], rows)


def _list(items: list[dict[str, Any]]) -> list[Block]:
    if not items:
        return ["There are no baselines yet: `crossfade baseline save NAME` keeps one."]
    rows = [
        [each["name"], each["route"] or "all", each["range"], moment(each["saved_at"]), each["saved_by"]]
        for each in items
    ]
    return [Table(["BASELINE", "ROUTE", "RANGE", "SAVED", "BY"], rows)]
