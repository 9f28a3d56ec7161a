from copy import deepcopy

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.measures.counts import NUMBERS, Amount, Counts, merged
from app.measures.sketch import Sketch

WHOLE = st.integers(min_value=0, max_value=10**6)
NAMES = st.sampled_from(["score", "like", "ünïcode", "new"])
AMOUNTS = st.builds(Amount, WHOLE, WHOLE.map(float), WHOLE.map(float))
SKETCHES = st.builds(Sketch, st.dictionaries(st.integers(-500, 1000), st.integers(1, 1000)), WHOLE.map(float))
COUNTS = st.builds(
    Counts,
    **dict.fromkeys(NUMBERS, WHOLE),
    answered=st.dictionaries(NAMES, WHOLE),
    latency=SKETCHES,
    signals=st.dictionaries(NAMES, AMOUNTS),
    outcomes=st.dictionaries(NAMES, AMOUNTS),
)


def together(*counts: Counts) -> Counts:
    total = Counts()
    for each in counts:
        total.merge(deepcopy(each))
    return total


@given(COUNTS)
def test_what_is_written_is_read_back(counts: Counts) -> None:
    assert Counts.from_json(counts.to_json()) == counts


@given(COUNTS, COUNTS)
def test_it_does_not_matter_who_merges_whom(one: Counts, other: Counts) -> None:
    assert together(one, other) == together(other, one)
    assert Counts.from_json(merged(one.to_json(), other.to_json())) == together(one, other)


@given(COUNTS, COUNTS, COUNTS)
def test_it_does_not_matter_which_are_merged_first(one: Counts, other: Counts, third: Counts) -> None:
    assert together(together(one, other), third) == together(one, together(other, third))


@given(COUNTS, COUNTS)
def test_what_is_merged_is_left_as_it_is(one: Counts, other: Counts) -> None:
    before = deepcopy(other)
    one.merge(other)
    one.merge(other)
    assert other == before


@given(st.lists(st.floats(-1e6, 1e6)))
def test_an_amount_knows_how_many_their_sum_and_that_of_their_squares(values: list[float]) -> None:
    amount = Amount()
    for value in values:
        amount.add(value)
    squares = sum(value * value for value in values)
    assert amount == Amount(len(values), pytest.approx(sum(values)), pytest.approx(squares))


@given(st.lists(st.floats(), min_size=1))
def test_whatever_is_counted_can_be_written_and_read(values: list[float]) -> None:
    counts = Counts(outcomes={"odd": Amount()})
    for value in values:
        counts.outcomes["odd"].add(value)
        counts.latency.add(value)
    assert Counts.from_json(counts.to_json()) == counts
    assert Counts.from_json(merged(counts.to_json(), counts.to_json())).latency.count == 2 * len(values)


def test_what_a_newer_program_counts_besides_is_passed_over() -> None:
    told = orjson.loads(Counts(calls=3).to_json()) | {"unheard_of": 7}
    assert Counts.from_json(orjson.dumps(told).decode()) == Counts(calls=3)
