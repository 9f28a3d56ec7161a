"""`crossfade flags stale`: which flags have done their work."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Table
from app.cli.client import Service
from app.cli.command import command
from app.cli.output import Show, ago

commands = typer.Typer()

WORDS: Mapping[str, str] = {
    "expired": "expired",
    "old": "older than its kind lives",
    "settled": "everybody gets the same",
    "unused": "not evaluated any more",
    "never_evaluated": "never evaluated",
}
"""Reasons in the words of people."""


@command(commands, "stale", "crossfade flags stale", "crossfade flags stale --days 30 --json | jq -r '.items[].flag'")
def stale(
    service: Service,
    show: Show,
    days: Annotated[
        float, typer.Option(min=0, max=3650, metavar="N", help="How long a flag is settled or unused before it counts.")
    ] = 14,
    by_name: Annotated[
        bool, typer.Option("--by-name", help="Count no evaluations in bulk, as pages in browsers ask for all flags.")
    ] = False,
) -> None:
    """List flags that have done their work, and why."""
    page = service.every("/monitoring/stale-flags", days=days, **({"by_name": "true"} if by_name else {}))
    show(page, lambda page: _blocks(page["items"]))


def _blocks(flags: Sequence[dict[str, Any]]) -> Iterator[Block]:
    if not flags:
        yield "No flag is stale."
        return
    now = datetime.now(UTC)
    yield Table(
        ["FLAG", "KIND", "OWNER", "WHY", "EVALUATED", "NEEDED BY"],
        [
            [
                flag["flag"],
                flag["kind"],
                flag["owner"] or "-",
                ", ".join(_why(reason, flag, now) for reason in flag["reasons"]),
                _ago(flag["last_evaluated"], now, "never"),
                _needed(flag["needed_by"]) or "-",
            ]
            for flag in flags
        ],
    )
    yield ""
    yield "Take a flag out of the code, see that it is not evaluated any more, and delete it then."


def _why(reason: str, flag: Mapping[str, Any], now: datetime) -> str:
    told = WORDS.get(reason, reason)
    if reason == "expired":
        return f"{told} on {flag['expires']}"
    if reason == "settled":
        return f"{told} since {_ago(flag['settled_since'], now, '-')}"
    return f"made {_ago(flag['created_at'], now, '-')}: {told}" if reason == "old" else told


def _ago(at: str | None, now: datetime, none: str) -> str:
    return none if at is None else ago(at, now)


def _needed(by: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"{name.removesuffix('s')} {each}" for name, those in by.items() for each in those)
