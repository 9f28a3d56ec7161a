"""`crossfade serve`."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Annotated, cast

import typer

from app.cli.command import epilog, telling, usage

commands = typer.Typer()


@commands.command(epilog=epilog("crossfade serve", "CROSSFADE_SEED=seed.yaml crossfade serve --host 0.0.0.0 --port 80"))
def serve(
    host: Annotated[str, typer.Option(metavar="HOST", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="The port; 0 takes a free one.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=256, metavar="N", help="Processes; more than one need CROSSFADE_REDIS_URL.")
    ] = 1,
) -> None:
    """Run the service until SIGTERM or Ctrl-C."""
    with telling():
        _serve(host, port, workers)


def _serve(host: str, port: int, workers: int) -> None:
    """Find out what can go wrong at once before the service itself is imported, which takes a second."""
    with _importing():
        from app.cli.listener import listening  # noqa: PLC0415
        from app.cli.settings import read  # noqa: PLC0415
        from app.settings import Settings  # noqa: PLC0415

    settings = read(Settings)
    if workers > 1 and settings.redis_url is None:
        raise usage(
            f"--workers {workers} need a store that processes can share, and the embedded one belongs to one process.\n"
            "Set CROSSFADE_REDIS_URL, or leave --workers away."
        )
    listeners = listening(host, port, workers)
    with _importing():
        from app.cli.server import announcement, run  # noqa: PLC0415

    told = announcement(listeners[0], settings, workers)
    if workers == 1:
        run(settings, listeners[0], lambda: typer.echo(told))
        return
    from app.cli.workers import supervise  # noqa: PLC0415

    supervise(settings, listeners, lambda: typer.echo(told))


@contextmanager
def _importing() -> Iterator[None]:
    """Look for no garbage, since what imports make stays, and leave rich to commands: each takes a tenth of a start."""
    gc.disable()
    # structlog takes it for tracebacks if it is there, and ours are plain text
    is_unknown = sys.modules.setdefault("rich", cast("ModuleType", None)) is None
    try:
        yield
    finally:
        if is_unknown:
            del sys.modules["rich"]
        gc.freeze()
        gc.enable()
