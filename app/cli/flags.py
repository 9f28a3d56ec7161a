"""`crossfade flags list | get | create | history | revert`; `stale` and `copy` have modules of their own."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli.blocks import Block, Fields, Table
from app.cli.client import PAGE, Service, part
from app.cli.command import Key, Reason, command, group, usage
from app.cli.instants import at_both
from app.cli.output import Show, ago, moment
from app.cli.words import condition_text, entry_text, flag_state, served, value_text

commands = group("List, show, create, schedule and copy flags.")

Kind = Literal["release", "experiment", "ops", "permission"]


@command(commands, "list", "crossfade flags list", "crossfade flags list --tag ai --json")
def list_flags(
    service: Service,
    show: Show,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only flags with this tag.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only flags of this kind.")] = None,
) -> None:
    """List flags and what they serve now."""
    page = service.every("/flags", tag=tag, kind=kind)
    if page["items"] or not (tag or kind):
        show(
            page,
            lambda page: _table(_in_force(service, page["items"], tag, kind), service.get("/kill-switch")["kills"]),
        )
    else:
        show(page, lambda _: ["No flag is like that; without --tag and --kind you see them all."])


def _in_force(
    service: Service, flags: Sequence[dict[str, Any]], tag: str | None, kind: str | None
) -> Sequence[dict[str, Any]]:
    """Return the flags as their schedules have made them by now: asked for where there is a schedule at all."""
    if not any("schedule" in flag for flag in flags):
        return flags
    found: Sequence[dict[str, Any]] = service.every("/flags", tag=tag, kind=kind, in_force=True)["items"]
    return found


def _table(flags: Sequence[dict[str, Any]], kills: Sequence[dict[str, Any]]) -> Iterator[Block]:
    if not flags:
        yield "There are no flags yet. `crossfade flags create KEY --variants new,legacy` makes one, at 0 %."
        return
    now = datetime.now(UTC)
    rows = [
        [
            flag["key"],
            flag_state(flag, kills),
            served(flag["default"]) + _exceptions(flag),
            flag["owner"] or "-",
            ago(flag["updated_at"], now),
        ]
        for flag in flags
    ]
    yield Table(["FLAG", "STATE", "SERVES", "OWNER", "CHANGED"], rows)


def _exceptions(flag: dict[str, Any]) -> str:
    """Tell how many rules and lists of named callers come before the default."""
    count = len(flag["targets"]) + len(flag["rules"])
    return f"; {count} rule{'s' * (count > 1)} before" if count else ""


@command(commands, "get", "crossfade flags get rag-v2", "crossfade flags get rag-v2 --json > rag-v2.json")
def get_flag(service: Service, show: Show, key: Key) -> None:
    """Show one flag: what it serves, to whom, and who changed it last."""
    flag = service.get(f"/flags/{part(key)}")
    show(flag, lambda flag: [_fields(flag, _now(service, flag), service.get("/kill-switch")["kills"])])


def _now(service: Service, flag: dict[str, Any]) -> dict[str, Any]:
    in_force: dict[str, Any] = flag
    if "schedule" in flag:
        in_force = service.get(f"/flags/{part(flag['key'])}", in_force=True)
    return in_force


def _fields(flag: dict[str, Any], now: dict[str, Any], kills: Sequence[dict[str, Any]]) -> Fields:
    off = flag["off_variant"]
    variants = [f"{name} = {value_text(value)}{' (off)' * (name == off)}" for name, value in flag["variants"].items()]
    prerequisites = [f"{each['flag']} gives {' or '.join(each['variants'])}" for each in flag["prerequisites"]]
    targets = [f"{len(each['keys'])} named callers get {each['variant']}" for each in flag["targets"]]
    rules = [f"{each['name']}: {served(each['serve'])} if {condition_text(each['when'])}" for each in flag["rules"]]
    pairs = [
        ("flag", flag["key"]),
        ("state", flag_state(now, kills)),
        ("serves", served(now["default"])),
        *(_scheduled(each) for each in now.get("schedule", [])),
        ("variants", ", ".join(variants)),
        *(("needs", each) for each in prerequisites),
        *(("targets", each) for each in targets),
        *(("rule", each) for each in rules),
        ("split by", flag["bucket_by"]),
        ("kind", flag["kind"]),
        ("owner", flag["owner"]),
        ("tags", ", ".join(flag["tags"])),
        ("description", flag["description"]),
        ("expires", flag["expires"] or ""),
        ("environment", flag["env"] or ""),
        ("version", f"{flag['version']}, {moment(flag['updated_at'])} by {flag['updated_by'] or '-'}"),
    ]
    return Fields([(name, cell) for name, cell in pairs if cell])


def _scheduled(entry: dict[str, Any]) -> tuple[str, str]:
    is_running = "until" in entry and datetime.fromisoformat(entry["at"]) <= datetime.now(UTC)
    at = f"until {at_both(entry['until'])}" if is_running else f"at {at_both(entry['at'])}"
    return "running" if is_running else "to come", f"{entry_text(entry)} {at}"


@command(
    commands,
    "create",
    "crossfade flags create rag-v2 --variants new,legacy --owner search",
    "crossfade flags create --file rag-v2.yaml",
    "crossfade flags get rag-v2 --json | crossfade flags create rag-v3 --file -",
)
def create_flag(
    service: Service,
    show: Show,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="The key; a file may hold it instead.")] = None,
    variants: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="The variants; `off` or `legacy`, else the last, is served at 0 %."),
    ] = None,
    kind: Annotated[Kind | None, typer.Option(help="What it is for; else release.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="What it does.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Who answers for it.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="A tag; may be given again.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="A YAML or JSON document, `-` for standard input."),
    ] = None,
) -> None:
    """Create a flag, at 0 % unless a file says otherwise.

    Options come before what the file says.
    """
    from app.cli.documents import document_in, with_variants  # noqa: PLC0415 - YAML is for this command alone

    document = document_in(file) if file else {}
    given = {"key": key, "kind": kind, "description": description, "owner": owner, "tags": tag}
    document |= {name: value for name, value in given.items() if value is not None}
    if "key" not in document:
        raise usage("Give the flag's key, or a --file that holds it.")
    flag = service.post("/flags", with_variants(document, variants) if variants else document).having("version")
    show(flag, lambda flag: [f'Flag "{flag["key"]}" is there: it serves {served(flag["default"])}.'])


@command(commands, "history", "crossfade flags history rag-v2", "crossfade flags history rag-v2 --limit 5 --json")
def flag_history(
    service: Service,
    show: Show,
    key: Key,
    limit: Annotated[
        int,
        typer.Option(
            min=1, max=PAGE, metavar="N", help="Most versions that are shown; what the schedule did comes with them."
        ),
    ] = 50,
) -> None:
    """Show a flag's versions, newest first, and what its schedule did."""
    page = service.get(f"/flags/{part(key)}/history", limit=limit)
    show(page, lambda page: _history(key, page, limit))


def _history(key: str, page: dict[str, Any], limit: int) -> Iterator[Block]:
    yield Table(["VERSION", "SERVES", "WRITTEN", "BY", "WHY"], [_past(entry) for entry in page["items"]])
    if page["next"] is not None:
        more = f"--limit {min(2 * limit, PAGE)} shows more"
        on = f"GET /flags/{part(key)}/history?before={page['next']} goes on"
        yield f"There are older versions: {more if limit < PAGE else on}."


def _past(entry: dict[str, Any]) -> list[str]:
    document = entry["document"]
    serves = served(document["default"]) if document else "deleted"
    return [str(entry["version"]), serves, moment(entry["at"]), entry["actor"], entry["reason"] or "-"]


@command(commands, "revert", 'crossfade flags revert rag-v2 3 --reason "the new rules were wrong"')
def revert_flag(
    service: Service,
    show: Show,
    key: Key,
    version: Annotated[int, typer.Argument(min=1, metavar="VERSION", help="The version to write again.")],
    reason: Reason = "",
) -> None:
    """Write an older version of a flag again, as a new version."""
    flag = service.post(f"/flags/{part(key)}/revert", {"version": version, "reason": reason}).having("version")
    told = f'Flag "{key}" is as in version {version}: it serves {served(flag["default"])} (version {flag["version"]}).'
    show(flag, lambda _: [told])
