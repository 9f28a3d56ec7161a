"""Kills told by many sides, in any order and any number of times, come to the same end."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from flags.kills import ALL, Kill, Release, merged

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)

moments = st.integers(0, 3).map(lambda minutes: NOON + timedelta(minutes=minutes))
releases = st.builds(Release, actor=st.sampled_from("ab"), at=moments, reason=st.sampled_from(["", "fixed"]))
kills = st.builds(
    Kill,
    id=st.sampled_from(["k1", "k2", "k3"]),
    scope=st.sampled_from([ALL, "flag:x"]),
    reason=st.just("night"),
    actor=st.sampled_from("ab"),
    at=moments,
    released=st.none() | releases,
)
sides = st.lists(kills, max_size=8)

NOBODY: Mapping[str, Kill] = {}


def known(*told: Sequence[Kill]) -> Mapping[str, Kill]:
    return reduce(merged, told, NOBODY)


@given(sides, sides)
def test_it_does_not_matter_who_is_told_first(one: list[Kill], other: list[Kill]) -> None:
    assert known(one, other) == known(other, one)


@given(sides, sides, sides)
def test_it_does_not_matter_who_merges_with_whom_first(one: list[Kill], other: list[Kill], third: list[Kill]) -> None:
    together = [*known(other, third).values()]
    assert known(one, together) == known([*known(one, other).values()], third)


@given(sides)
def test_being_told_again_changes_nothing_at_all(side: list[Kill]) -> None:
    before = known(side)
    assert merged(before, side) is before


@given(sides, sides)
def test_a_release_is_never_undone_and_no_kill_is_forgotten(one: list[Kill], other: list[Kill]) -> None:
    after = known(one, other)
    assert after.keys() == {kill.id for kill in [*one, *other]}
    for kill in one:
        assert kill.released is None or after[kill.id].released is not None


@given(kills)
def test_a_kill_is_read_back_as_it_was_written(kill: Kill) -> None:
    text = kill.model_dump_json()
    assert Kill.model_validate_json(text) == kill
    assert ("released" in text) == (kill.released is not None)
