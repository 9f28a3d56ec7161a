import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from app.refresh import Live
from app.stores.records import Collection, Snapshot, Stored, StoreUnavailableError
from flags.model import Flag

SERVER_OWNED = {"version", "updated_at", "updated_by"}
MANY = 3_000


def snapshot(*bodies: str) -> Snapshot:
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    stored = [Stored(Collection.FLAG, f"flag-{n}", 1, body, moment, "mina") for n, body in enumerate(bodies)]
    return Snapshot("first", len(bodies), tuple(stored))


def bodies(count: int) -> list[str]:
    return [Flag(key=f"flag-{n}").model_dump_json(exclude=SERVER_OWNED) for n in range(count)]


@contextmanager
def collections() -> Iterator[list[str]]:
    """Note every collection of garbage until the end of the block."""
    noted: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        noted.append(phase)

    gc.callbacks.append(note)
    try:
        yield noted
    finally:
        gc.callbacks.remove(note)


def test_garbage_is_looked_for_at_most_once_however_large_the_state_that_is_loaded() -> None:
    live, large = Live(None, lambda _: None), snapshot(*bodies(MANY))
    with collections() as noted:
        live.load(large)
    assert noted.count("start") <= 1
    assert len(live.state.flags) == MANY
    assert gc.isenabled()


def test_a_state_that_cannot_be_read_leaves_the_collection_of_garbage_on() -> None:
    with pytest.raises(StoreUnavailableError):
        Live(None, lambda _: None).load(snapshot("{}"))
    assert gc.isenabled()
