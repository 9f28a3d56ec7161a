"""What came of decisions, in the order it was kept; each once for its route and id."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0005"
down_revision = "0004"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    """Make the table."""
    op.create_table(
        "outcomes",
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("route", sa.String, nullable=False),
        sa.Column("side", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("received_at", sa.String, nullable=False),
        sa.Column("rollout", sa.String),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("route", "id"),
        sqlite_autoincrement=True,
    )
