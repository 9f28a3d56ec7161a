"""Where an acknowledged change is when it is not yet everywhere it belongs, told to the writer in a header."""

from collections.abc import Sequence
from contextvars import ContextVar

from app.stores.records import Entry

HEADER = b"x-crossfade-durability"

_only_in: ContextVar[bytes | None] = ContextVar("only_in", default=None)


def begin() -> None:
    """Forget, at the beginning of a request, what an earlier one left."""
    _only_in.set(None)


def note(entries: Sequence[Entry]) -> None:
    """Note where a request's changes are: `redis` without the journal, `sql` without Redis."""
    if any(entry.seq == 0 for entry in entries):
        _only_in.set(b"redis")
    elif any(entry.revision is None for entry in entries):
        _only_in.set(b"sql")


def headers() -> list[tuple[bytes, bytes]]:
    """Return the header of the answer, none when everything is where it belongs."""
    where = _only_in.get()
    return [] if where is None else [(HEADER, where)]
