"""Brings a database to the schema of this program, in the transaction that it is given."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, inspect, select, text, update

from app.stores.records import StoreUnavailableError
from app.stores.schema import META, SCHEMA_VERSION

MIGRATIONS = Path(__file__).parent / "migrations"

ONE_AT_A_TIME = 0x43524F53
"""The advisory lock that a program holds in Postgres while it upgrades; SQLite has one writer anyway."""


class NewerSchemaError(StoreUnavailableError):
    """A newer program made the database, and waiting does not make it readable."""


def prepare(connection: Connection, new_epoch: Callable[[], str]) -> int | None:
    """Make or upgrade the tables, keep what is there, and return the schema that was found, None for no tables.

    Raises NewerSchemaError when a newer program made them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ONE_AT_A_TIME})
    found = _schema_found(connection)
    if found is None or found < SCHEMA_VERSION:
        _take_steps(connection, found)
        _set_schema(connection, found, new_epoch)
    return found


def _schema_found(connection: Connection) -> int | None:
    if not inspect(connection).has_table(META.name):
        return None
    found: int = connection.execute(select(META.c.schema_version)).scalar_one()
    if found > SCHEMA_VERSION:
        raise NewerSchemaError(
            f"the database {connection.engine.url.database} has schema {found}, this program reads up to "
            f"{SCHEMA_VERSION}: start the newer version of Crossfade that made it, or choose another one to keep it in"
        )
    return found


def _take_steps(connection: Connection, found: int | None) -> None:
    """Take them with Alembic, which is imported only for that: it takes a twelfth of every other start."""
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])

    def steps(standing: Any, _: MigrationContext) -> Iterable[Any]:
        return script._upgrade_revs("head", standing)  # noqa: SLF001 - what Alembic's own command calls

    context = MigrationContext.configure(connection, opts={"fn": steps, "version_table": "crossfade_schema"})
    if found is not None and context.get_current_revision() is None:
        context.stamp(script, f"{found:04}")
    context.run_migrations(op=Operations(context))


def _set_schema(connection: Connection, found: int | None, new_epoch: Callable[[], str]) -> None:
    if found is None:
        connection.execute(insert(META).values(epoch=new_epoch(), revision=0, schema_version=SCHEMA_VERSION))
    else:
        connection.execute(update(META).values(schema_version=SCHEMA_VERSION))
