"""The tables of the SQL store."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

SCHEMA_VERSION = 8
"""Rises with every migration, and with every new collection, action or field, which an older program cannot read."""

WHOLE = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of 64 bits; in SQLite every INTEGER is one."""


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

IS_KILL = text("collection = 'kill'")
"""Written out, since a parameter would keep databases from using the index of it."""

META = Table(
    "meta",
    METADATA,
    Column("epoch", String, nullable=False),
    Column("revision", WHOLE, nullable=False),
    Column("schema_version", Integer, nullable=False),
)

DOCUMENTS = Table(
    "documents",
    METADATA,
    Column("collection", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("version", WHOLE, nullable=False),
    Column("body", Text, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("updated_by", String, nullable=False),
)

JOURNAL = Table(
    "journal",
    METADATA,
    Column("seq", WHOLE, primary_key=True, autoincrement=True),
    Column("epoch", String, nullable=False),
    Column("revision", WHOLE),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("collection", String, nullable=False),
    Column("key", String, nullable=False),
    Column("version", WHOLE),
    Column("body", Text),
    Column("reason", String, nullable=False),
    UniqueConstraint("epoch", "revision"),
    Index("journal_versions", "collection", "key", "version"),
    # of kills only, as its migration says: an option of a database would import it, used or not
    Index("journal_kills", "seq"),
    sqlite_autoincrement=True,
)

COMPARISONS = Table(
    "comparisons",
    METADATA,
    Column("route", String, primary_key=True),
    Column("control", String, primary_key=True),
    Column("candidate", String, primary_key=True),
    # seconds since 1970 at which the hour began
    Column("hour", WHOLE, primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    Column("count", WHOLE, nullable=False),
)

EXAMPLES = Table(
    "comparison_examples",
    METADATA,
    Column("seq", WHOLE, primary_key=True, autoincrement=True),
    Column("route", String, nullable=False),
    Column("control", String, nullable=False),
    Column("candidate", String, nullable=False),
    Column("decision_id", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("millionths", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index("comparison_examples_worst", "route", "millionths"),
    sqlite_autoincrement=True,
)

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("seq", WHOLE, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False),
    Column("route", String, nullable=False),
    Column("side", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("rollout", String),
    Column("body", Text, nullable=False),
    UniqueConstraint("route", "id"),
    # of those that have a rollout only, as its migration says
    Index("outcomes_of_rollouts", "rollout", "seq"),
    sqlite_autoincrement=True,
)

MEASURES = Table(
    "measures",
    METADATA,
    # seconds that it is of: a minute, or an hour
    Column("span", Integer, primary_key=True, autoincrement=False),
    # seconds since 1970 at which it began
    Column("start", WHOLE, primary_key=True, autoincrement=False),
    Column("route", String, primary_key=True),
    Column("side", String, primary_key=True),
    Column("rollout", String, primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)

STATISTICS = Table(
    "rollout_statistics",
    METADATA,
    Column("rollout", String, primary_key=True),
    # the last outcome that is in it
    Column("seq", WHOLE, nullable=False),
    Column("body", Text, nullable=False),
)

FIRST_EVENTS = Table(
    "rollout_first_events",
    METADATA,
    Column("rollout", String, primary_key=True),
    Column("unit", String, primary_key=True),
    Column("gate", String, primary_key=True),
)

EVALUATIONS = Table(
    "rollout_evaluations",
    METADATA,
    Column("seq", WHOLE, primary_key=True, autoincrement=True),
    Column("rollout", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("body", Text, nullable=False),
    Index("rollout_evaluations_of", "rollout", "seq"),
    sqlite_autoincrement=True,
)

LEASES = Table(
    "leases",
    METADATA,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    # milliseconds since 1970 by the database's clock
    Column("until_ms", WHOLE, nullable=False),
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("seq", WHOLE, primary_key=True, autoincrement=True),
    # what makes it the same alert again
    Column("fingerprint", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("severity", String, nullable=False),
    Column("route", String, nullable=False),
    Column("times", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index("alerts_same", "fingerprint", "last_at"),
    sqlite_autoincrement=True,
)

NOTICES = Table(
    "notices",
    METADATA,
    Column("seq", WHOLE, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_autoincrement=True,
)

BASELINES = Table(
    "baselines",
    METADATA,
    Column("name", String, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String, nullable=False),
    Column("body", Text, nullable=False),
)

FLAGS_EVALUATED = Table(
    "flags_evaluated",
    METADATA,
    Column("flag", String, primary_key=True),
    Column("variant", String, primary_key=True),
    # seconds since 1970
    Column("at", WHOLE, nullable=False),
)

FLAGS_TOLD_STALE = Table(
    "flags_told_stale",
    METADATA,
    Column("flag", String, primary_key=True),
    # seconds since 1970
    Column("at", WHOLE, nullable=False),
)
