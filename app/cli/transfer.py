"""`crossfade export | import`: all segments, flags and routes in one file, or what another system exports."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.blocks import Block, Cell, Table, Tone, Toned
from app.cli.client import Service
from app.cli.command import Reason, command, usage
from app.cli.exits import CommandError, Exit
from app.cli.output import Show
from app.cli.systems import System, looks_like, system_of
from app.cli.words import value_text

commands = typer.Typer()

TONES: Mapping[str, Tone] = {"create": Tone.GOOD, "update": Tone.WARN, "delete": Tone.BAD}
WIDEST = 48
"""How many characters of a value are shown."""

DONE: Mapping[str, str] = {"create": "created", "update": "changed", "delete": "deleted"}


@command(commands, "export", "crossfade export > state.yaml", "crossfade export --json | jq '.flags[].key'")
def export(service: Service, show: Show) -> None:
    """Write every document as YAML, without tokens and kills.

    `import` and a seed file take it. It goes to standard output, and holds no versions.
    """
    from app.yaml_text import write_yaml  # noqa: PLC0415 - YAML is for this command alone

    documents = service.get("/export").having("flags")
    if show.as_json:
        show(documents, lambda _: [])
    else:
        # not through a terminal's formatting: what is written is read again
        typer.echo(write_yaml(dict(documents)), nl=False)


@command(
    commands,
    "import",
    "crossfade import state.yaml --dry-run",
    'crossfade import state.yaml --prune --reason "release 41"',
    "crossfade --url http://old export | crossfade --url http://new import -",
    "crossfade import features.json --from unleash --attribute userId=account --dry-run",
)
def import_documents(
    service: Service,
    show: Show,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML or JSON document, `-` for standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete what FILE does not hold.")] = False,
    origin: Annotated[
        System | None, typer.Option("--from", help="FILE is an export of this system; it is translated first.")
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            "--attribute", metavar="THEIRS=OURS", help="What a field of that system's contexts is called here."
        ),
    ] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", metavar="NAME", help="Which one of FILE's environments is meant.")
    ] = None,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Import the rest when something cannot be said exactly.")
    ] = False,
    reason: Reason = "",
) -> None:
    """Make documents as a file says: all of it or nothing.

    With `--from`, what cannot be translated exactly is shown with its place in FILE and the reason, and nothing is
    imported unless `--skip-refused` is given.
    """
    from app.cli.documents import document_in  # noqa: PLC0415 - YAML is for this command alone

    asked = {"dry_run": str(dry_run).lower(), "prune": str(prune).lower(), "reason": reason}
    if origin is None and (attribute or environment or skip_refused):
        raise usage("--attribute, --environment and --skip-refused are about a translation; name a system with --from.")
    if origin is not None and prune:
        raise usage("--prune would delete every route, since no other system's FILE holds any; leave it out.")
    document = document_in(file)
    like = system_of(document)
    if origin is None:
        if like is not None:
            raise usage(looks_like(like))
        show(service.post("/import", document, **asked).having("items"), imported_blocks)
        return
    from app.cli.translation import imported  # noqa: PLC0415 - translating is for this option alone

    done = imported(service, origin, document, attribute or (), environment, asked, skip_refused=skip_refused)
    show(done, imported_blocks)
    if done["refusals"] and not skip_refused:
        hint = "" if like is None or like is origin else looks_like(like)
        raise _not_imported(done["refusals"], file, hint)


def _not_imported(refusals: Sequence[dict[str, Any]], file: Path, hint: str) -> CommandError:
    told = f"{len(refusals)} of {file} cannot be said exactly, and nothing was imported."
    if any(each["place"] in {"$", "$.features"} for each in refusals):
        return CommandError(Exit.REFUSED, told, hint or "Name the system it is of with --from.")
    return CommandError(Exit.REFUSED, told, "Import the rest with --skip-refused.")


def imported_blocks(imported: dict[str, Any]) -> Iterator[Block]:
    """Show what could not be translated, and each field that an import changes or would change, before and after."""
    if refusals := imported.get("refusals"):
        yield Table(["PLACE", "NOT TRANSLATED BECAUSE"], [[each["place"], each["reason"]] for each in refusals])
        yield ""
    if imported["items"]:
        yield Table(["DOCUMENT", "ACTION", "FIELD", "BEFORE", "AFTER"], [*_rows(imported["items"])])
        yield ""
    counts = {action: sum(each["action"] == action for each in imported["items"]) for action in DONE}
    told = [f"{count} {DONE[action]}" for action, count in counts.items() if count]
    told.append(f"{imported['unchanged']} unchanged")
    yield f"{', '.join(told)}.{' Nothing was written: this was a dry run.' * imported['dry_run']}"


def _rows(items: Sequence[Mapping[str, Any]]) -> Iterator[list[Cell]]:
    """Yield a row for each field that changes, and one for each document that comes or goes."""
    for item in items:
        action = Toned(item["action"], TONES[item["action"]])
        for each in item["changes"] or [None]:
            told = ["-", "-", "-"] if each is None else [each["field"], _short(each["before"]), _short(each["after"])]
            yield [f"{item['collection']}:{item['key']}", action, *told]


def _short(value: Any) -> str:
    """Tell a value in a cell; `--json` has it whole."""
    told = "-" if value is None else value_text(value)
    return told if len(told) <= WIDEST else f"{told[: WIDEST - 1]}…"
