"""`crossfade rollout start | pause | resume | advance | approve | step-back | rollback | abort`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Tone, Toned
from app.cli.client import Service, part
from app.cli.command import Reason, command
from app.cli.output import Show
from app.cli.rollouts import Id, To, in_a_line

commands = typer.Typer()

PLAIN: Mapping[str, str] = {
    "pause": "Stop raising the share; guardrails go on.",
    "resume": "Go on after a pause.",
    "approve": "Approve a step that has passed and waits for it.",
    "rollback": "Send everyone back to the control now.",
    "abort": "End it, and leave the percentage as it is.",
}
STEPPING: Mapping[str, str] = {
    "advance": "Go to the next step now, whatever the gates say.",
    "step-back": "Go one step back, and judge that one anew.",
}


def _plain(name: str, told: str) -> None:
    def order(service: Service, show: Show, rollout: Id, reason: Reason = "") -> None:
        _give(service, show, rollout, name, {"reason": reason})

    order.__doc__ = told
    command(commands, name, f'crossfade rollout {name} rag-v2-1 --reason "night shift"')(order)


def _stepping(name: str, told: str) -> None:
    def order(service: Service, show: Show, rollout: Id, to: To = None, reason: Reason = "") -> None:
        _give(service, show, rollout, name, {"reason": reason, "to": None if to is None else to - 1})

    order.__doc__ = told
    command(commands, name, f'crossfade rollout {name} rag-v2-1 --to 2 --reason "looked at it"')(order)


def _give(service: Service, show: Show, rollout: str, name: str, body: Mapping[str, Any]) -> None:
    show(service.post(f"/rollouts/{part(rollout)}/{name}", body).having("id"), lambda found: [in_a_line(found)])


@command(commands, "start", "crossfade rollout start rag-v2-1 --dry-run", "crossfade rollout start rag-v2-1")
def start(
    service: Service,
    show: Show,
    rollout: Id,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    reason: Reason = "",
) -> None:
    """Start a draft: from then on it steers itself."""
    if not dry_run:
        _give(service, show, rollout, "start", {"reason": reason})
        return
    found = service.post(f"/rollouts/{part(rollout)}/start", {"reason": reason}, dry_run="true")
    show(found.having("would"), _outlook)


def _outlook(found: Mapping[str, Any]) -> Iterator[Block]:
    yield "It would"
    for each in found["would"]:
        yield f"- {each}"
    yield Toned("Nothing was written: this was a dry run.", Tone.DIM)


for word, meaning in PLAIN.items():
    _plain(word, meaning)
for word, meaning in STEPPING.items():
    _stepping(word, meaning)
