"""Counts are added in any order, and written without what is nothing."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from app.measures.counts import MOST, MOST_KINDS, Counts, Moments, merged, merged_text
from app.measures.sketch import Sketch


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


# whole numbers, whose sums do not depend on the order
wholes = st.integers(0, 2**20)
names = st.sampled_from(["a", "b", "c"])
moments = st.dictionaries(names, st.builds(Moments, wholes, wholes.map(float), wholes.map(float)))
sketches = st.lists(wholes.map(float)).map(sketch_of)
counts = st.builds(
    Counts, *[wholes] * 7, st.dictionaries(names, st.integers(1, 2**20)), sketches, signals=moments, outcomes=moments
)


def copy(each: Counts) -> Counts:
    return Counts.from_json(each.as_json())


def both(one: Counts, other: Counts) -> Counts:
    together = copy(one)
    together.merge(other)
    return together


@settings(deadline=None)
@given(counts, counts)
def test_it_is_all_the_same_which_comes_first(one: Counts, other: Counts) -> None:
    assert both(one, other) == both(other, one)


@settings(deadline=None)
@given(counts, counts, counts)
def test_it_is_all_the_same_which_two_are_added_first(one: Counts, two: Counts, three: Counts) -> None:
    assert both(both(one, two), three) == both(one, both(two, three))


@settings(deadline=None)
@given(counts)
def test_nothing_adds_nothing(each: Counts) -> None:
    assert both(each, Counts()) == each == copy(each)


@settings(deadline=None)
@given(counts, counts)
def test_text_is_merged_as_counts_are(one: Counts, other: Counts) -> None:
    assert Counts.from_json(merged_text(one.as_json(), other.as_json())) == both(one, other)
    assert merged([one.as_json(), other.as_json()]) == both(one, other)


def test_what_is_nothing_is_not_written() -> None:
    assert Counts().as_json() == "{}"
    assert orjson.loads(Counts(calls=1, answered={"new": 1}).as_json()) == {"calls": 1, "answered": {"new": 1}}


def test_kinds_of_outcomes_that_are_told_apart_are_bounded() -> None:
    each = Counts()
    for number in range(MOST_KINDS + 5):
        each.add_outcome(f"k{number}", 2.0)
    each.add_outcome("k0", 3.0)
    assert len(each.outcomes) == MOST_KINDS
    assert each.outcomes["k0"] == Moments(2, 5.0, 13.0)
    assert each.outcomes["k0"].mean == 2.5


def test_a_value_that_would_drown_the_others_is_not_counted() -> None:
    each = Counts()
    for value in (1e308, -1e308, 2 * MOST, 4.0):
        each.add_outcome("cost", value)
        each.add_signal("cost", value)
    assert each.outcomes["cost"] == each.signals["cost"] == Moments(1, 4.0, 16.0)
    assert copy(each) == each
