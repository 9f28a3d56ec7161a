"""What shadowed calls came to: counts by route, pair and hour, and the worst examples."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "comparisons",
        sa.Column("route", sa.String, primary_key=True),
        sa.Column("control", sa.String, primary_key=True),
        sa.Column("candidate", sa.String, primary_key=True),
        sa.Column("hour", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("count", WHOLE, nullable=False),
    )
    op.create_table(
        "comparison_examples",
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=True),
        sa.Column("route", sa.String, nullable=False),
        sa.Column("control", sa.String, nullable=False),
        sa.Column("candidate", sa.String, nullable=False),
        sa.Column("decision_id", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("expires_at", sa.String, nullable=False),
        sa.Column("millionths", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("comparison_examples_worst", "comparison_examples", ["route", "millionths"])
