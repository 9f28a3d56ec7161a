"""Changes for the store tests, with what does not matter filled in."""

from datetime import UTC, datetime

from app.stores.records import Change, Collection

NOW = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)


def change(key: str, expected: int, body: str | None = "{}", collection: Collection = Collection.FLAG) -> Change:
    """Wish for one write of a document, by Mina, now."""
    return Change(collection, key, expected, body, actor="mina", reason="because", at=NOW)
