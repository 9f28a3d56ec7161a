"""`crossfade demo`."""

from typing import Annotated

import typer

from app.cli.command import epilog

commands = typer.Typer()
JUST_THE_FAILED = "crossfade demo --json | jq '.claims[] | select(.ok | not)'"


@commands.command(epilog=epilog("crossfade demo", "crossfade demo --all", "crossfade demo --rollouts", JUST_THE_FAILED))
def demo(
    as_json: Annotated[bool, typer.Option("--json", help="Write the claims with their figures as JSON.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Go on with the routes for recommendations and personas.")
    ] = False,
    rollouts: Annotated[
        bool, typer.Option("--rollouts", help="Instead: rollouts that go wrong, and one whose leader is killed.")
    ] = False,
) -> None:
    """Run the main job on real input and check its claims.

    Ends with 1 if one of them fails.
    """
    from app.demo import run  # noqa: PLC0415 - the demo brings backends that nothing else needs

    if everything and rollouts:
        raise typer.BadParameter("give --all or --rollouts, not both")
    raise typer.Exit(run(as_json=as_json, everything=everything, rollouts=rollouts))
