"""`crossfade outcomes export`: what came of decisions, as a file."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from app.cli.client import Service
from app.cli.command import command, group, usage
from app.cli.output import Show

commands = group("What came of decisions.")


@command(
    commands,
    "export",
    "crossfade outcomes export --route rag --since 2027-01-01T00:00:00Z > outcomes.jsonl",
    "crossfade outcomes export --labelled --format parquet -o outcomes.parquet",
)
def export(
    service: Service,
    show: Show,
    route: Annotated[str | None, typer.Option("--route", metavar="ROUTE", help="Of this route only.")] = None,
    side: Annotated[str | None, typer.Option("--side", metavar="SIDE", help="Of this decided variant only.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Of this kind only.")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="From then on, with a zone.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Until before then.")] = None,
    labelled: Annotated[bool, typer.Option("--labelled", help="What labelled examples are joined from.")] = False,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="jsonl or parquet.")] = "jsonl",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; else standard output.")
    ] = None,
) -> None:
    """Write outcomes as they are kept, oldest first.

    FILE is there only if all of them are in it.
    """
    wanted = {"route": route, "side": side, "kind": kind, "since": since, "until": until}
    query = {**wanted, "labelled": str(labelled).lower(), "format": form}
    with _written(output) as file:
        service.download("/outcomes/export", file, **query)
    if output is None or not output.is_file():
        return
    written = {"file": str(output), "bytes": output.stat().st_size}
    show(written, lambda document: [f"{document['bytes']:,} bytes are in {document['file']}."])


@contextmanager
def _written(output: Path | None) -> Iterator[BinaryIO]:
    """Give what is written to: standard output, a device or a pipe, or a file that is there at the end of the block."""
    try:
        if output is None:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        elif output.exists() and not output.is_file() and not output.is_dir():
            with output.open("wb") as pipe:
                yield pipe
        else:
            with _replaced(output.resolve()) as file:
                yield file
    except BrokenPipeError:
        raise  # whoever reads has enough
    except OSError as error:
        if output is None:
            # what is left in its buffer would fail again at the end of the process, and be told a second time
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise usage(f"{output or 'standard output'} cannot be written: {error.strerror}.") from error


@contextmanager
def _replaced(output: Path) -> Iterator[BinaryIO]:
    unfinished = output.with_name(f"{output.name}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
