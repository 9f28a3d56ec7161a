"""The tables of the SQL store."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    insert,
    inspect,
    select,
)

from app.stores.records import StoreUnavailableError

SCHEMA_VERSION = 1
"""Rises with every change of a table, and with every new collection or action, which an older program cannot read."""


class Moment(TypeDecorator[datetime]):
    """An aware time, kept as UTC ISO text with microseconds, so that text order is time order."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: object) -> str | None:
        """Write the time as text."""
        return value.astimezone(UTC).isoformat(timespec="microseconds") if value else None

    def process_result_value(self, value: str | None, _: object) -> datetime | None:
        """Read the time back, aware and in UTC."""
        return datetime.fromisoformat(value) if value else None


METADATA = MetaData()

META = Table(
    "meta",
    METADATA,
    Column("epoch", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("schema_version", Integer, nullable=False),
)

DOCUMENTS = Table(
    "documents",
    METADATA,
    Column("collection", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String, nullable=False),
)

JOURNAL = Table(
    "journal",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("epoch", String, nullable=False),
    Column("revision", Integer),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("collection", String, nullable=False),
    Column("key", String, nullable=False),
    Column("version", Integer),
    Column("body", Text),
    Column("reason", String, nullable=False),
    UniqueConstraint("epoch", "revision"),
    Index("journal_versions", "collection", "key", "version", unique=True),
    sqlite_autoincrement=True,
)


def prepare(connection: Connection, new_epoch: Callable[[], str]) -> None:
    """Make the tables of an empty database; raise StoreUnavailableError when a newer program made them."""
    if not inspect(connection).has_table(META.name):
        METADATA.create_all(connection)
        connection.execute(insert(META).values(epoch=new_epoch(), revision=0, schema_version=SCHEMA_VERSION))
    found = connection.execute(select(META.c.schema_version)).scalar_one()
    if found > SCHEMA_VERSION:
        raise StoreUnavailableError(
            f"the database {connection.engine.url.database} has schema {found}, this program reads up to "
            f"{SCHEMA_VERSION}: start the newer version of Crossfade that made it, or choose another data directory"
        )
