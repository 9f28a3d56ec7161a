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
                f"--workers {workers} is not there yet: each `crossfade serve` is one process.\n"
                "Several work as one today: start each by itself, with the same CROSSFADE_REDIS_URL and another --port."
            )
        _serve(host, port)


def _serve(host: str, port: int) -> None:
    """Find out what can go wrong at once before the service itself is imported, which takes a second."""
    from app.cli.listener import listening  # noqa: PLC0415
    from app.cli.settings import read  # noqa: PLC0415
    from app.settings import Settings  # noqa: PLC0415

    settings = read(Settings)
    with listening(host, port) as listener:
        from app.cli.server import run  # noqa: PLC0415

        run(settings, listener)
