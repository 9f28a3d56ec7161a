"""`crossfade segments list | get | put | uses | delete`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Fields, Table
from app.cli.client import Service, part
from app.cli.command import Reason, command, group, usage
from app.cli.exits import CommandError, Exit
from app.cli.output import Show, ago, moment
from app.cli.words import condition_text

commands = group("List, show, write and delete segments.")

Name = Annotated[str, typer.Argument(metavar="SEGMENT", help="The segment's name.")]


@command(commands, "list", "crossfade segments list", "crossfade segments list --json | jq '.items[].name'")
def list_segments(service: Service, show: Show) -> None:
    """List segments, and who is in each."""
    show(service.every("/segments"), lambda page: _table(page["items"]))


def _table(segments: Sequence[dict[str, Any]]) -> Iterator[Block]:
    if not segments:
        yield "There are no segments yet. `crossfade segments put FILE` makes one."
        return
    now = datetime.now(UTC)
    rows = [
        [
            segment["name"],
            condition_text(segment["when"]),
            segment["description"] or "-",
            ago(segment["updated_at"], now),
        ]
        for segment in segments
    ]
    yield Table(["SEGMENT", "IF", "DESCRIPTION", "CHANGED"], rows)


@command(commands, "get", "crossfade segments get power-users", "crossfade segments get power-users --json")
def get_segment(service: Service, show: Show, name: Name) -> None:
    """Show one segment: who is in it, and who changed it last."""
    show(service.get(f"/segments/{part(name)}"), lambda segment: [_fields(segment)])


def _fields(segment: dict[str, Any]) -> Fields:
    pairs = [
        ("segment", segment["name"]),
        ("if", condition_text(segment["when"])),
        ("description", segment["description"]),
        ("version", f"{segment['version']}, {moment(segment['updated_at'])} by {segment['updated_by'] or '-'}"),
    ]
    return Fields([(name, cell) for name, cell in pairs if cell])


@command(
    commands,
    "put",
    "crossfade segments put power-users.yaml",
    "crossfade segments put power-users.yaml --if-version 3",
    "crossfade segments get a --json | jq '.name = \"b\"' | crossfade segments put -",
)
def put_segment(
    service: Service,
    show: Show,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML or JSON document, `-` for standard input.")],
    if_version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Refuse unless the segment is at this version.")
    ] = None,
) -> None:
    """Create or replace a segment as a file says."""
    from app.cli.documents import document_in, named  # noqa: PLC0415 - YAML is for this command alone

    document = document_in(file)
    name = document.get("name")
    if not isinstance(name, str):
        raise usage(f"{named(file)} has no name: a segment is name, description and when.")
    version = if_version or _version(service, name)
    if version is None:
        segment = service.post("/segments", document).having("version")
    else:
        segment = service.put(f"/segments/{part(name)}", document, version).having("version")
    show(segment, lambda segment: [f'Segment "{segment["name"]}" is at version {segment["version"]}.'])


def _version(service: Service, name: str) -> int | None:
    """Return the version of a segment, None when there is none."""
    try:
        return int(service.get(f"/segments/{part(name)}").having("version")["version"])
    except CommandError as error:
        if error.code is Exit.NOT_FOUND:
            return None
        raise


@command(commands, "uses", "crossfade segments uses power-users", "crossfade segments uses power-users --json")
def segment_uses(service: Service, show: Show, name: Name) -> None:
    """Show which flags, segments and rollouts use a segment."""
    show(service.get(f"/segments/{part(name)}/uses").having("items"), lambda uses: _uses(uses, name))


def _uses(uses: dict[str, Any], name: str) -> Iterator[Block]:
    if not uses["items"]:
        yield f'Nothing uses segment "{name}".'
        return
    rows = [[f"{each['collection']}:{each['key']}", each["place"], each["through"] or "-"] for each in uses["items"]]
    yield Table(["DOCUMENT", "PLACE", "THROUGH"], rows)


@command(commands, "delete", 'crossfade segments delete power-users --reason "nobody uses it"')
def delete_segment(service: Service, show: Show, name: Name, reason: Reason = "") -> None:
    """Delete a segment that nothing uses; its history stays."""
    version = service.get(f"/segments/{part(name)}").having("version")["version"]
    service.delete(f"/segments/{part(name)}", {"reason": reason}, version)
    show({"deleted": name}, lambda _: [f'Segment "{name}" is deleted.'])
