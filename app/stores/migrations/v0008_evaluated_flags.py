"""When each variant of a flag was given last, and which flags were told to be stale."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0008"
down_revision = "0007"


def upgrade(op: Operations) -> None:
    """Make the tables."""
    whole = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "flags_evaluated",
        sa.Column("flag", sa.String, primary_key=True),
        sa.Column("variant", sa.String, primary_key=True),
        sa.Column("at", whole, nullable=False),
    )
    op.create_table(
        "flags_told_stale",
        sa.Column("flag", sa.String, primary_key=True),
        sa.Column("at", whole, nullable=False),
    )
