"""`crossfade compare`: how far the candidate's answers agree with the control's, less the noise."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Cell, Fields, Table, Tone, Toned
from app.cli.client import Service, part
from app.cli.command import command
from app.cli.output import Show, moment
from app.cli.routes import Name

commands = typer.Typer()

WATCH_S = 2.0

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show it again every 2 s, until Ctrl-C.")]
Window = Annotated[str, typer.Option("--window", metavar="SPAN", help="How far back: 1h, 24h, 7d or all.")]
Examples = Annotated[int, typer.Option("--examples", metavar="N", min=0, max=500, help="Most of the worst examples.")]


@command(
    commands,
    "compare",
    "crossfade compare rag",
    "crossfade compare rag --watch --window 1h",
    "crossfade compare rag --json | jq '.items[].agreement_minus_noise'",
)
def compare(
    service: Service, show: Show, name: Name, watch: Watch = False, window: Window = "24h", examples: Examples = 5
) -> None:
    """Show how far both sides' answers agree, less the noise.

    Calls are compared that the route's shadow asks of both sides; the worst examples are shown, redacted.
    """
    while True:
        found = service.get(f"/routes/{part(name)}/comparison", window=window, examples=examples)
        if watch and not show.as_json:
            from app.cli.terminal import clear  # noqa: PLC0415 - rich is slow to import, and not always needed

            clear()
        show(found, blocks)
        if not watch:
            return
        try:
            time.sleep(WATCH_S)
        except KeyboardInterrupt:
            return


def blocks(found: Mapping[str, Any]) -> Iterator[Block]:
    """Tell a comparison: what is missing, each pair, and the worst examples."""
    since = "ever" if found["window"] == "all" else f"since {moment(found['since'])}"
    yield Toned(f"Route {found['route']}, {since}, all processes", Tone.STRONG)
    if found["note"]:
        yield Toned(f"{found['note'][0].upper()}{found['note'][1:]}.", Tone.WARN)
    for item in found["items"]:
        yield ""
        yield from _pair(item)
    if found["examples"]:
        yield ""
        yield Toned("Worst examples", Tone.STRONG)
        yield _examples(found["examples"])


def _pair(item: Mapping[str, Any]) -> Iterator[Block]:
    control, candidate = item["control"], item["candidate"]
    yield Fields(
        [
            ("compared", f"{candidate} with {control}, {item['compared']} calls"),
            ("agreement", share(item["agreement"])),
            ("less the noise", _excess(item)),
            ("ended", counted(item["ended"])),
            ("not judged", counted(item["unjudged"])),
            ("dropped", counted(item["dropped"])),
        ]
    )
    rows = [
        [
            item[party],
            milliseconds(item["latency_ms"][party]["p50"]),
            milliseconds(item["latency_ms"][party]["p95"]),
            str(item["cost"][party]["calls"]),
            f"{item['cost'][party]['seconds']:.1f} s",
        ]
        for party in ("control", "candidate")
    ]
    yield Table(["BACKEND", "P50", "P95", "ASKED AS SHADOW", "TOOK"], rows)


def _excess(item: Mapping[str, Any]) -> Cell:
    if item["agreement_minus_noise"] is None:
        return "- (the control was never asked twice)"
    of = f"{item['noise_calls']} calls, where {item['control']} agreed with itself {share(item['noise_agreement'])}"
    return f"{item['agreement_minus_noise'] * 100:+.1f} points ({of})"


def _examples(examples: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            share(each["agreement"]),
            moment(each["at"]),
            each["decision_id"],
            f"{each['method']} {each['path'] or '/'}",
            "; ".join(map(_difference, each["differences"][:3])) or "-",
        ]
        for each in examples
    ]
    return Table(["AGREES", "WHEN", "DECISION", "CALL", "DIFFERENCES"], rows)


def _difference(difference: Mapping[str, Any]) -> str:
    sides = [difference[side] if difference[side] is not None else "nothing" for side in ("control", "candidate")]
    return f"{difference['path']}: {sides[0]} → {sides[1]}"


def counted(counts: Mapping[str, int]) -> str:
    """Tell counts by name, the largest first."""
    in_order = sorted(counts.items(), key=lambda each: -each[1])
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in in_order) or "-"


def share(part_of_1: float | None) -> str:
    """Tell an agreement."""
    return "-" if part_of_1 is None else f"{part_of_1 * 100:.1f} %"


def milliseconds(latency: float | None) -> str:
    """Tell a latency."""
    return "-" if latency is None else f"{latency:.3g} ms"
