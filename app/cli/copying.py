"""`crossfade flags copy`: one flag from one deployment to another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from app.cli.client import Service, part
from app.cli.command import Key, Reason, command
from app.cli.exits import CommandError, Exit
from app.cli.output import Show
from app.cli.transfer import imported_blocks

commands = typer.Typer()


@command(
    commands,
    "copy",
    "crossfade flags copy rag-v2 --to https://crossfade.example --dry-run",
    "CROSSFADE_TO_TOKEN=… crossfade flags copy rag-v2 --to https://crossfade.example --keep-percentage",
)
def copy(
    service: Service,
    show: Show,
    key: Key,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where the other Crossfade is.")],
    to_token: Annotated[
        str,
        typer.Option(
            "--to-token",
            metavar="TOKEN",
            help="The token for it; CROSSFADE_TO_TOKEN keeps it out of `ps`.",
            envvar="CROSSFADE_TO_TOKEN",
            show_envvar=False,
        ),
    ] = "",
    with_prerequisites: Annotated[
        bool, typer.Option("--with-prerequisites", help="Copy the flags and segments that it stands on, too.")
    ] = False,
    keep_percentage: Annotated[
        bool, typer.Option("--keep-percentage", help="Leave a flag's default and schedule as they are there.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    reason: Reason = "",
) -> None:
    """Make a flag elsewhere as it is here.

    All of it or nothing is written in the other deployment. Kills, versions and rollouts stay where they are; the
    percentage is copied unless --keep-percentage.
    """
    documents = service.get("/export", flag=key).having("flags")
    if not with_prerequisites:
        documents = {"flags": [each for each in documents["flags"] if each["key"] == key]}
    with _other(to, to_token) as target:
        there = {flag["key"]: _flag_at(target, flag["key"]) for flag in documents["flags"]}
        for flag in documents["flags"]:
            _check_foundations(target, flag, there.keys())
        if keep_percentage:
            documents |= {"flags": [_with_default_of(there[flag["key"]], flag) for flag in documents["flags"]]}
        asked = {"dry_run": str(dry_run).lower(), "reason": reason or f"copied from {service.url}"}
        show(target.post("/import", documents, **asked).having("items"), imported_blocks)


@contextmanager
def _other(url: str, token: str) -> Iterator[Service]:
    from app.cli.settings import client_settings  # noqa: PLC0415 - httpx and pydantic are slow to import
    from app.cli.transport import connected  # noqa: PLC0415

    try:
        # an empty token, rather than none: that of this deployment is nobody else's
        settings = client_settings(url, token)
        with connected(settings) as send:
            yield Service(settings.url, send)
    except CommandError as error:
        told = str(error).replace("CROSSFADE_URL", "--to").replace("CROSSFADE_TOKEN", "CROSSFADE_TO_TOKEN")
        raise CommandError(error.code, f"{url}: {told}", problem=error.problem) from error


def _flag_at(target: Service, key: str) -> Mapping[str, Any] | None:
    try:
        flag: Mapping[str, Any] = target.get(f"/flags/{part(key)}")
    except CommandError as error:
        if error.problem == "unknown_flag":
            return None
        raise
    return flag


def _check_foundations(target: Service, flag: Mapping[str, Any], copied: Any) -> None:
    """Raise CommandError when the target lacks a prerequisite that is not copied."""
    for item in flag["prerequisites"]:
        if item["flag"] not in copied and _flag_at(target, item["flag"]) is None:
            told = f'there is no flag "{item["flag"]}", which flag "{flag["key"]}" has as a prerequisite.'
            raise CommandError(Exit.NOT_FOUND, told, "Copy it too, with --with-prerequisites, or first.")


def _with_default_of(there: Mapping[str, Any] | None, flag: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a flag that serves by default what the one there does, now and by its schedule.

    What is not there yet is copied as it is.
    """
    if there is None:
        return flag
    return {**flag, "default": there["default"], "schedule": there.get("schedule", [])}
