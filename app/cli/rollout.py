"""`crossfade rollout set`: what a product manager calls."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from app.cli.blocks import Block
from app.cli.client import Service, part
from app.cli.command import Key, Reason, command, group
from app.cli.instants import at_both
from app.cli.output import Show
from app.cli.words import entry_text, served, unchanged_warning

commands = group("Set the new side's share, or let it steer itself.")


def percentage(text: str) -> float:
    """Read a percentage such as `25`, `25%` or `0.5 %`. Raises BadParameter."""
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no percentage; give 0 to 100, such as 25, 25% or 0.5') from None
    if not 0 <= number <= 100:
        raise typer.BadParameter(f"{text} is not between 0 and 100")
    return number


class Percentage(TyperCommand):
    """A command that takes `-5` for a percentage below 0, and not for an option it does not have."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse a negative number unless it is the value of an option."""
        for before, text in pairwise(["", *args]):
            if re.match(r"-\.?\d", text) and not before.startswith("-"):
                percentage(text)
        return super().parse_args(ctx, args)


@command(
    commands,
    "set",
    "crossfade rollout set rag-v2 25%",
    'crossfade rollout set rag-v2 0 --reason "p95 too high"',
    cls=Percentage,
)
def set_rollout(
    service: Service,
    show: Show,
    key: Key,
    share: Annotated[float, typer.Argument(parser=percentage, metavar="PERCENT", help="0 to 100, down to 0.001.")],
    variant: Annotated[str | None, typer.Option(metavar="NAME", help="Who gets it; else the growing variant.")] = None,
    reason: Reason = "",
    if_version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only if the flag is still at this version.")
    ] = None,
) -> None:
    """Set the share of everyone that gets the growing variant.

    The off variant has the rest.
    """
    body = {"percentage": share, "variant": variant, "reason": reason}
    flag = service.put(f"/flags/{part(key)}/rollout", body, if_version).having("version")
    show(flag, lambda flag: _set(key, flag))


def _set(key: str, flag: dict[str, Any]) -> Iterator[Block]:
    yield f'Flag "{key}" serves {served(flag["default"])} (version {flag["version"]}).'
    if rules := flag.get("unchanged_rules"):
        yield unchanged_warning(rules)
    for entry in flag.get("dropped", []):
        yield f"Taken out of its schedule: {entry_text(entry)}, since {at_both(entry['at'])}."
    for entry in flag.get("schedule", []):
        yield f"Still to come: {entry_text(entry)} at {at_both(entry['at'])}."
