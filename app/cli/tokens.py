"""`crossfade tokens create | list | revoke`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import typer

from app.cli.blocks import Block, Table
from app.cli.client import Service, part, stranger
from app.cli.command import Reason, command, group
from app.cli.output import Show, moment

commands = group("Make, list and revoke the tokens that callers show.")

Role = Literal["evaluate", "client", "read", "operate", "kill", "alert", "admin"]
Id = Annotated[str, typer.Argument(metavar="ID", help="The token's public name: lower-case letters, digits and -.")]


@command(commands, "list", "crossfade tokens list")
def list_tokens(service: Service, show: Show) -> None:
    """List tokens; their secrets are kept nowhere."""
    show(service.every("/tokens"), lambda page: _table(page["items"]))


def _table(tokens: Sequence[dict[str, Any]]) -> Iterator[Block]:
    if not tokens:
        yield "There is no token but the one in the settings. `crossfade tokens create ID --role ROLE` makes one."
        return
    rows = [
        [
            each["id"],
            each["role"],
            " ".join(each["scopes"]) or "-",
            moment(each["expires_at"]),
            each["description"] or "-",
        ]
        for each in tokens
    ]
    yield Table(["TOKEN", "ROLE", "FOR", "EXPIRES", "DESCRIPTION"], rows)


@command(
    commands,
    "create",
    "crossfade tokens create search-team --role operate --days 90",
    "crossfade tokens create web --role evaluate --scope route:rag",
    "export CROSSFADE_TOKEN=$(crossfade tokens create ci --role read)",
)
def create_token(
    service: Service,
    show: Show,
    name: Id,
    role: Annotated[
        Role, typer.Option(help="client: evaluate, and the ruleset; operate: percentages; kill: breakers too.")
    ],
    description: Annotated[str, typer.Option(metavar="TEXT", help="Who has it.")] = "",
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, metavar="N", help="How long it lasts; else for ever.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="evaluate and client only: route:NAME or flag:KEY; may be given again."),
    ] = None,
    reason: Reason = "",
) -> None:
    """Make a token and write it to standard output.

    This is the only time it can be read.
    """
    expires = None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()
    body = {"id": name, "role": role, "description": description, "expires_at": expires, "scopes": scope or []}
    made = service.post("/tokens", body | {"reason": reason}).having("token")
    typer.echo(f'Token "{name}" ({role}) is made. It is shown only now, keep it:', err=True)
    show(made, lambda made: [made["token"]])


@command(commands, "revoke", 'crossfade tokens revoke ci --reason "leaked in a log"')
def revoke_token(service: Service, show: Show, name: Id, reason: Reason = "") -> None:
    """Revoke a token: from now on it opens nothing."""
    if service.delete(f"/tokens/{part(name)}", {"reason": reason}) is not None:
        raise stranger(service.url, "with a document")
    show({"revoked": name}, lambda _: [f'Token "{name}" is revoked.'])
