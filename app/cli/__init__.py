"""The command line: `serve` and `demo` run the service, `db` and `restore` ask its stores, all others talk to one."""

from typing import Annotated

import typer

from app.cli import (
    alerts,
    baseline,
    breakers,
    compare,
    copying,
    demo,
    explain,
    flags,
    kills,
    monitor,
    outcomes,
    plans,
    rollout,
    rollout_orders,
    rollout_watch,
    rollouts,
    routes,
    schedules,
    segments,
    serve,
    simulate,
    stale,
    status,
    stores,
    tokens,
    transfer,
)
from app.cli.command import Reach, Token, Url
from app.cli.exits import MEANING

EPILOG = "\n".join(
    [
        "\b",
        "Examples:",
        "  crossfade status",
        "  crossfade rollout set rag-v2 25%",
        '  crossfade kill rag-v2 --reason "wrong answers"',
        "",
        "\b",
        "Exit codes:",
        *(f"  {code:<4} {meaning}" for code, meaning in MEANING.items()),
    ]
)

app = typer.Typer(
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (rollouts, rollout_orders, rollout_watch, plans, simulate):
    rollout.commands.add_typer(part.commands)
for part in (stale, copying):
    flags.commands.add_typer(part.commands)
for module in (serve, demo, status, kills, alerts, breakers, monitor, compare, transfer, stores):
    app.add_typer(module.commands)
flags.commands.add_typer(schedules.commands)
app.add_typer(flags.commands, name="flags")
app.add_typer(rollout.commands, name="rollout")
app.add_typer(routes.commands, name="routes")
app.add_typer(segments.commands, name="segments")
app.add_typer(explain.commands, name="route")
app.add_typer(baseline.commands, name="baseline")
app.add_typer(tokens.commands, name="tokens")
app.add_typer(outcomes.commands, name="outcomes")
app.add_typer(stores.db, name="db")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 - only this option needs it

        typer.echo(f"crossfade {version('crossfade')}")
        raise typer.Exit


@app.callback()
def crossfade(
    context: typer.Context,
    url: Url = None,
    token: Token = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and end.")
    ] = False,
) -> None:
    """Move users from a legacy backend to a new one, and back, without a deploy.

    `serve` and `demo` run the service, `db` and `restore` work on its stores; every other command talks to a running
    one.
    """
    del version
    context.obj = Reach(url, token)


def main() -> None:
    """Run the command that the process was started with, and end with its exit code."""
    app(prog_name="crossfade")
