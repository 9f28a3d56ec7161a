"""What rollouts stand on: measures by minute, statistics with their first events, leases; and what they tell."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0006"
down_revision = "0005"

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "measures",
        sa.Column("span", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start", WHOLE, primary_key=True, autoincrement=False),
        sa.Column("route", sa.String, primary_key=True),
        sa.Column("side", sa.String, primary_key=True),
        sa.Column("rollout", sa.String, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    is_of_one = sa.text("rollout IS NOT NULL")
    op.create_index(
        "outcomes_of_rollouts",
        "outcomes",
        ["rollout", "seq"],
        postgresql_where=is_of_one,
        sqlite_where=is_of_one,
    )
    op.create_table(
        "rollout_statistics",
        sa.Column("rollout", sa.String, primary_key=True),
        sa.Column("seq", WHOLE, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "rollout_first_events",
        sa.Column("rollout", sa.String, primary_key=True),
        sa.Column("unit", sa.String, primary_key=True),
        sa.Column("gate", sa.String, primary_key=True),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("until_ms", WHOLE, nullable=False),
    )
    _make_what_is_told(op)


def _make_what_is_told(op: Operations) -> None:
    op.create_table(
        "rollout_evaluations",
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=True),
        sa.Column("rollout", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("rollout_evaluations_of", "rollout_evaluations", ["rollout", "seq"])
    op.create_table(
        "alerts",
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("last_at", sa.String, nullable=False),
        sa.Column("severity", sa.String, nullable=False),
        sa.Column("route", sa.String, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("alerts_same", "alerts", ["fingerprint", "last_at"])
    op.create_table(
        "notices",
        sa.Column("seq", WHOLE, primary_key=True, autoincrement=True),
        sa.Column("at", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
