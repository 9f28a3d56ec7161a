"""`crossfade db upgrade` and `crossfade restore`: the two commands that speak to the stores themselves."""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from app.cli.blocks import Block, Fields
from app.cli.command import AsJson, epilog, group, telling, usage
from app.cli.exits import CommandError, Exit
from app.cli.output import Show, ago

if TYPE_CHECKING:
    from pydantic import SecretStr

    from app.stores.restore import Found

T = TypeVar("T")

commands = typer.Typer()
db = group("Look after the database of the journal.")


@db.command("upgrade", epilog=epilog("crossfade db upgrade", "crossfade db upgrade --json | jq .to"))
def upgrade(as_json: AsJson = False) -> None:
    """Bring CROSSFADE_DATABASE_URL to this program's schema.

    Keeps what is there, and waits while another process upgrades it. `serve` does the same when it starts.
    """
    with telling():
        [url] = _addresses("database_url")
        from app.stores.engines import upgrade as upgraded  # noqa: PLC0415 - SQL is slow to import
        from app.stores.schema import SCHEMA_VERSION  # noqa: PLC0415

        before = _done(upgraded(url))
        Show(as_json=as_json)({"from": before, "to": SCHEMA_VERSION}, lambda found: [_upgraded(**found)])


def _upgraded(to: int, **found: int | None) -> str:
    before = found["from"]
    if before is None:
        return f"The database was empty and has schema {to} now."
    return f"The database has schema {to} already." if before == to else f"Upgraded from schema {before} to {to}."


@commands.command(
    epilog=epilog("crossfade restore --dry-run", "crossfade restore", "crossfade restore --replace --yes")
)
def restore(
    replace: Annotated[bool, typer.Option("--replace", help="Throw away the state that Redis holds.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before replacing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fill an empty Redis from the journal, under a new epoch.

    They are named by CROSSFADE_REDIS_URL and CROSSFADE_DATABASE_URL.
    Services that run follow by themselves; they refill an empty Redis by themselves too.
    """
    with telling():
        addresses = _addresses("redis_url", "database_url")
        from app.stores.restore import look  # noqa: PLC0415 - SQL and Redis are slow to import

        found = _done(look(*addresses))
        if not dry_run:
            _permit(found, replace=replace, yes=yes)
        epoch = None if dry_run else _restored(addresses, found)
        Show(as_json=as_json)(_told(found, epoch), _blocks)


def _permit(found: "Found", *, replace: bool, yes: bool) -> None:
    """Raise CommandError for a restore that would lose something nobody agreed to lose."""
    if found.kept is None:
        raise CommandError(
            Exit.REFUSED,
            "The journal holds no change: there is nothing to restore.",
            "Check CROSSFADE_DATABASE_URL.",
        )
    if found.live is None:
        return
    if not replace:
        raise CommandError(
            Exit.CONFLICT,
            f"Redis holds a state: epoch {found.live.epoch}, revision {found.live.revision}.",
            "`--dry-run` shows what the journal has; `--replace` throws away what Redis holds.",
        )
    if not yes and not _agreed(found):
        raise CommandError(Exit.REFUSED, "Nothing was done.")


def _agreed(found: "Found") -> bool:
    if not sys.stdin.isatty():
        raise usage("--replace asks before it replaces, and nobody is there to answer: add --yes.")
    lost = f" {found.missing} changes that the journal does not have are lost." if found.missing else ""
    return typer.confirm(f"Replace what Redis holds by {found.documents} documents of the journal?{lost}", err=True)


def _restored(addresses: list[str], found: "Found") -> str:
    from app.stores.restore import restore as restored  # noqa: PLC0415 - SQL and Redis are slow to import

    epoch = _done(restored(addresses[0], addresses[1], found.live))
    if epoch is None:
        raise CommandError(Exit.CONFLICT, "Redis has changed meanwhile; nothing was done.", "Look again: --dry-run.")
    return epoch


def _told(found: "Found", epoch: str | None) -> dict[str, Any]:
    return {
        "restored": epoch is not None,
        "epoch": epoch,
        "documents": found.documents,
        "journal": found.kept._asdict() | {"changed_at": _iso(found.changed_at)} if found.kept else None,
        "redis": found.live._asdict() | {"missing_in_journal": found.missing} if found.live else None,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _place(mark: dict[str, Any] | None) -> str:
    return f"epoch {mark['epoch']}, revision {mark['revision']}" if mark else "nothing"


def _blocks(told: dict[str, Any]) -> Iterator[Block]:
    journal, redis = told["journal"], told["redis"]
    changed = ago(journal["changed_at"], datetime.now(UTC)) if journal else "-"
    missing = str(redis["missing_in_journal"]) if redis else "-"
    yield Fields(
        [
            ("Journal", _place(journal)),
            ("last change", changed),
            ("documents", str(told["documents"])),
            ("Redis held" if told["restored"] else "Redis holds", _place(redis)),
            ("changes not in the journal", missing),
        ]
    )
    yield ""
    if told["restored"]:
        yield f"Restored {told['documents']} documents under the new epoch {told['epoch']}."
    else:
        yield "Nothing was written: this was a dry run."


def _addresses(*names: str) -> list[str]:
    """Return settings that name a store. Raises CommandError for one that is not set."""
    from app.cli.settings import read  # noqa: PLC0415 - pydantic is slow to import
    from app.settings import Settings  # noqa: PLC0415

    settings = read(Settings)
    given: dict[str, SecretStr | None] = {name: getattr(settings, name) for name in names}
    for name, address in given.items():
        if address is None:
            hint = " A journal in a data folder is sqlite:///FOLDER/journal.db." if name == "database_url" else ""
            raise usage(f"CROSSFADE_{name.upper()} is not set: it says what to work on.{hint}")
    return [address.get_secret_value() for address in given.values() if address is not None]


def _done(work: Coroutine[Any, Any, T]) -> T:
    """Run what asks the stores. Raises CommandError in place of their errors."""
    from app.stores.records import StoreAddressError, StoreUnavailableError  # noqa: PLC0415
    from app.stores.upgrade import NewerSchemaError  # noqa: PLC0415 - SQL is slow to import

    try:
        return asyncio.run(work)
    except StoreAddressError as error:
        raise usage(f"{error}.") from None
    except NewerSchemaError as error:
        raise CommandError(Exit.REFUSED, f"{error}.") from None
    except StoreUnavailableError as error:
        raise CommandError(Exit.UNREACHABLE, " ".join(str(error).split())) from None
