import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_a_large_state_is_never_looked_through_for_garbage() -> None:
    live, large, before = Live(None, lambda _: None), snapshot(*bodies(MANY)), gc.get_freeze_count()
    with collections() as noted:
        live.load(large)
        gc.collect(0)
    assert noted.count("start") == 1
    assert gc.get_freeze_count() > before + MANY
    assert len(live.state.flags) == MANY
    assert gc.isenabled()


def test_a_state_that_cannot_be_read_leaves_the_collection_of_garbage_on() -> None:
    with pytest.raises(StoreUnavailableError):
        Live(None, lambda _: None).load(snapshot("{}"))
    assert gc.isenabled()


SERVED = [Flag(key="x", off_variant=off).model_dump_json(exclude=SERVER_OWNED) for off in ("on", "off")]


@given(st.lists(st.lists(st.sampled_from(SERVED), max_size=4), min_size=2, max_size=4))
def test_whatever_was_loaded_before_a_load_ends_in_what_a_first_one_ends_in(loads: list[list[str]]) -> None:
    live, first = Live(None, lambda _: None), Live(None, lambda _: None)
    for each in loads:
        live.load(snapshot(*each))
    first.load(snapshot(*loads[-1]))
    assert live.state.flags == first.state.flags
    assert {key: each.invalid for key, each in live.state.ruleset.flags.items()} == {
        key: each.invalid for key, each in first.state.ruleset.flags.items()
    }


def test_a_reload_reads_and_compiles_only_what_is_another() -> None:
    live, before = Live(None, lambda _: None), bodies(3)
    live.load(snapshot(*before))
    old = live.state.ruleset.living
    live.load(snapshot(*before[:2], before[2].replace('"description":""', '"description":"other"')))
    assert [live.state.ruleset.living[f"flag-{n}"] is old[f"flag-{n}"] for n in range(3)] == [True, True, False]
