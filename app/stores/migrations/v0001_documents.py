"""Documents, the journal, and the epoch with its revision, as the first program made them."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "meta",
        sa.Column("epoch", sa.String, nullable=False),
        sa.Column("revision", WHOLE, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
    )
    op.create_table(
        "documents",
        sa.Column("collection", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("version", WHOLE, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("updated_at", sa.String, nullable=False),
        sa.Column("updated_by", sa.String, nullable=False),
    )
    _make_journal(op)


def _make_journal(op: Operations) -> None:
    op.create_table(
        "journal",
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=True),
        sa.Column("epoch", sa.String, nullable=False),
        sa.Column("revision", WHOLE),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("collection", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("version", WHOLE),
        sa.Column("body", sa.Text),
        sa.Column("reason", sa.String, nullable=False),
        sa.UniqueConstraint("epoch", "revision"),
        sqlite_autoincrement=True,
    )
    op.create_index("journal_versions", "journal", ["collection", "key", "version"], unique=True)
