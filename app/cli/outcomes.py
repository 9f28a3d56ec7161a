"""`crossfade outcomes export`: what came of decisions, as a file."""

import sys
from pathlib import Path
from typing import Annotated

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
    if output is None:
        service.download("/outcomes/export", sys.stdout.buffer, **query)
        return
    unfinished = output.with_name(f"{output.name}.part")
    try:
        with unfinished.open("wb") as file:
            service.download("/outcomes/export", file, **query)
        unfinished.replace(output)
    except OSError as error:
        raise usage(f"{output} cannot be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    written = {"file": str(output), "bytes": output.stat().st_size}
    show(written, lambda document: [f"{document['bytes']:,} bytes are in {document['file']}."])
