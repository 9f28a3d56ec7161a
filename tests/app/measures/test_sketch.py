import math

import pytest
from ddsketch import DDSketch
from hypothesis import given
from hypothesis import strategies as st

from app.measures.sketch import ACCURACY, LEAST, Sketch

VALUES = st.lists(st.floats(min_value=1e-3, max_value=1e7), min_size=1, max_size=200)
PARTS = st.sampled_from([0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0])


def sketch_of(values: list[float]) -> Sketch:
    made = Sketch()
    for value in values:
        made.add(value)
    return made


@given(VALUES, PARTS)
def test_a_quantile_is_off_by_one_per_cent_at_most(values: list[float], part: float) -> None:
    rank = part * (len(values) - 1)
    exact = sorted(values)[math.floor(rank)]
    found = sketch_of(values).ranked().at(rank)
    assert abs(found - exact) <= ACCURACY * exact * (1 + 1e-9)


@given(VALUES, PARTS)
def test_it_tells_what_the_library_tells(values: list[float], part: float) -> None:
    oracle = DDSketch(ACCURACY)
    for value in values:
        oracle.add(value)
    found = sketch_of(values)
    told = oracle.get_quantile_value(part)
    assert told is not None
    assert found.ranked().quantile(part) == pytest.approx(told, rel=2.1 * ACCURACY)
    assert (found.count, found.total) == (oracle.count, pytest.approx(oracle.sum))


@given(VALUES, VALUES)
def test_merging_is_adding(one: list[float], other: list[float]) -> None:
    merged = sketch_of(one)
    merged.merge(sketch_of(other))
    whole = sketch_of(one + other)
    assert merged.buckets == whole.buckets
    assert merged.total == pytest.approx(whole.total)


def test_zero_and_less_are_the_lowest_and_count_as_zero() -> None:
    found = sketch_of([5.0, 0.0, -3.0, LEAST])
    assert sorted(found.values()) == [(0.0, 3), (pytest.approx(5.0, rel=ACCURACY), 1)]
    assert (found.ranked().at(2), found.total) == (0.0, pytest.approx(5.0))


def test_of_nothing_there_is_no_value() -> None:
    with pytest.raises(IndexError):
        Sketch().ranked().quantile(0.5)
