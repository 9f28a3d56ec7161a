"""`crossfade serve`."""

from typing import Annotated

import typer

from app.cli.command import epilog, telling, usage

commands = typer.Typer()


@commands.command(epilog=epilog("crossfade serve", "CROSSFADE_SEED=seed.yaml crossfade serve --host 0.0.0.0 --port 80"))
def serve(
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="The port; 0 takes a free one.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Processes; more than one need a shared store.")] = 1,
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    with telling():
        if workers > 1:
            raise usage(
                f"--workers {workers} needs a store that processes share; the embedded SQLite is for one process.\n"
                "That store is Redis, by CROSSFADE_REDIS_URL, which a later release reads; until then run one worker."
            )
        from app.cli.server import run  # noqa: PLC0415 - the whole service, which no other command needs

        run(host, port)
