"""A version may stand in the journal once for each epoch: a live state that was lost has given it to another change."""

from alembic.operations import Operations

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Let the index be."""
    op.drop_index("journal_versions", "journal")
    op.create_index("journal_versions", "journal", ["collection", "key", "version"])
