"""`crossfade rollout watch`: a rollout as it goes, until it is over or waits for a person."""

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli.client import Service, part
from app.cli.command import command
from app.cli.exits import CommandError, Exit
from app.cli.output import Show
from app.cli.rollouts import Id, rollout_blocks

commands = typer.Typer()

PATIENCE_S = 30.0
"""For how long a service that does not answer is asked again: the one that steers may be another."""

ENDS: Mapping[str, int] = {"completed": 0, "rolled_back": 3, "paused": 4, "aborted": 4}
"""The states in which there is nothing more to watch, and what the command ends with."""

SAME = ("state", "step", "why", "version")


@command(commands, "watch", "crossfade rollout watch rag-v2-1", "crossfade rollout watch rag-v2-1 --json | jq .state")
def watch(
    service: Service,
    show: Show,
    rollout: Id,
    interval: Annotated[float, typer.Option(min=0.1, max=3600, metavar="SECONDS", help="How often to look.")] = 2.0,
) -> None:
    """Show a rollout and its gates as they go.

    With --json it writes a line for each change. Ends with 0 when it is completed, 3 when it was rolled back, 4 when
    it is paused or aborted; Ctrl-C ends with 0.
    """
    said = None
    while True:
        try:
            found = _looked_at(service, rollout, interval)
            if not show.as_json:
                _show_on_a_clear_screen(found, show)
            elif (saying := _saying(found)) != said:
                typer.echo(json.dumps(found))
                said = saying
            if found["state"] in ENDS:
                raise typer.Exit(ENDS[found["state"]])
            time.sleep(interval)
        except KeyboardInterrupt:
            return


def _looked_at(service: Service, rollout: str, interval: float) -> Mapping[str, Any]:
    """Return the rollout; a service that is away for a moment is asked again. Raises CommandError."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            found: Mapping[str, Any] = service.get(f"/rollouts/{part(rollout)}").having("plan")
        except CommandError as error:
            if error.code is not Exit.UNREACHABLE or time.monotonic() > until:
                raise
            time.sleep(interval)
        else:
            return found


def _saying(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes a rollout another than it was: where it is, and what its gates say."""
    gates = found["progress"]["gates"] if found["progress"] else []
    return (*(found[name] for name in SAME), *((each["gate"], each["verdict"]) for each in gates))


def _show_on_a_clear_screen(found: Mapping[str, Any], show: Show) -> None:
    from app.cli.terminal import clear  # noqa: PLC0415 - rich is slow to import, and not always needed

    clear()
    show(found, rollout_blocks)
