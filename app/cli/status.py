"""`crossfade status`: one screen for whoever was just woken up."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import typer

from app.cli.blocks import Block, Tone, Toned
from app.cli.breakers import breakers_table
from app.cli.client import Service
from app.cli.command import command
from app.cli.exits import CommandError
from app.cli.kills import kills_block
from app.cli.output import Show

commands = typer.Typer()


@command(commands, "status", "crossfade status", "crossfade status --json | jq .breakers")
def status(service: Service, show: Show) -> None:
    """Show readiness, kills and open breakers on one screen.

    Ends with 3 when the service is not ready; kills and open breakers alone are no failure.
    """
    failure = None
    try:
        ready = service.get("/readyz")
    except CommandError as error:
        failure, ready = error, {"status": "not ready", "detail": str(error).partition("\n")[0]}
    breakers = service.get("/breakers")["items"]
    found = {
        "url": service.url,
        "ready": ready,
        "kills": service.get("/kill-switch")["kills"],
        "breakers": [each for each in breakers if each["state"] != "closed"],
        "closed": sum(each["state"] == "closed" for each in breakers),
    }
    show(found, _screen)
    if failure is not None:
        raise failure


def _screen(found: dict[str, Any]) -> Iterator[Block]:
    if found["ready"]["status"] == "ready":
        yield Toned(f"Crossfade at {found['url']} is ready (revision {found['ready']['revision']}).", Tone.GOOD)
        if found["ready"]["state"] == "stale":
            old = f"The state is stale, up to {found['ready']['age_s']:.0f} s old"
            on = "decisions and kills go on, other writes are refused until Redis is back"
            yield Toned(f"{old}: {on}.", Tone.WARN)
    else:
        yield Toned(f"Crossfade at {found['url']} is not ready: {found['ready']['detail']}", Tone.BAD)
    yield ""
    yield kills_block(found["kills"], datetime.now(UTC))
    yield ""
    if found["breakers"]:
        yield breakers_table(found["breakers"])
        yield Toned(f"Closed breakers: {found['closed']}.", Tone.DIM)
    else:
        yield Toned(f"Every breaker is closed ({found['closed']}).", Tone.GOOD)
