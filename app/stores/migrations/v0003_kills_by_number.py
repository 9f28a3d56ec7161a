"""Every process asks for new kills about every half second: among millions of lines they are found at once."""

from alembic.operations import Operations
from sqlalchemy import text

revision = "0003"
down_revision = "0002"


def upgrade(op: Operations) -> None:
    """Give the kills among the lines an index of their own; released ones are documents from now on."""
    is_kill = text("collection = 'kill'")
    op.create_index("journal_kills", "journal", ["seq"], postgresql_where=is_kill, sqlite_where=is_kill)
