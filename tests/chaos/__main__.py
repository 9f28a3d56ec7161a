"""`python -m tests.chaos`: break everything a fleet stands on, one at a time, and count what its users notice."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.chaos.findings import Judged, Row, as_json
from tests.chaos.fleet import REPLICAS, WORKERS
from tests.chaos.story import Plan, played

WIDTH = 160


def main() -> int:
    """Play the story and print what came of it; return 1 when a claim does not hold."""
    asked = _parser().parse_args()
    plan = Plan(seconds=asked.seconds, rate=asked.rate, seed=asked.seed)
    Console(stderr=True).print(
        f"{REPLICAS} replicas x {WORKERS} workers, {plan.rate:g} questions a second for {plan.seconds:g} s …",
        style="dim",
    )
    with TemporaryDirectory() as folder:
        judged = Judged(asyncio.run(played(plan, Path(folder))))
    if asked.json:
        sys.stdout.write(json.dumps(as_json(judged), indent=2) + "\n")
    else:
        _show(judged, Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))
    return int(not all(claim.holds for claim in judged.claims))


def _show(judged: Judged, console: Console) -> None:
    table = Table(*(name.replace("_", " ") for name in Row._fields))
    for column in table.columns[1:]:
        column.justify = "right"
    for row in judged.rows:
        table.add_row(row.fault, *(_told(value) for value in row[1:]))
    console.print(table)
    for claim in judged.claims:
        word = "[green]ok[/]    " if claim.holds else "[red]FAILED[/]"
        console.print(f"{word} {claim.claim}{escape(f': {claim.but}') if claim.but else ''}", soft_wrap=True)


def _told(value: float | str) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.chaos", description=sys.modules[__name__].__doc__)
    plan = Plan()
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--seconds", type=float, default=plan.seconds, help="of load, at least; the faults take about 60"
    )
    parser.add_argument("--rate", type=float, default=plan.rate, help="questions a second")
    parser.add_argument("--seed", type=int, default=plan.seed, help="of everything left to chance")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
