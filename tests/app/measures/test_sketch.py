"""Quantiles from buckets: near enough, and mergeable."""

import math

import orjson
from ddsketch import LogCollapsingLowestDenseDDSketch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.measures.sketch import ACCURACY, Sketch

values = st.floats(0, 1e9).map(lambda value: round(value, 3))
shares = st.floats(0, 1)
ROUNDING = 1e-9


def sketch_of(those: list[float]) -> Sketch:
    sketch = Sketch()
    for value in those:
        sketch.add(value)
    return sketch


@settings(deadline=None)
@given(st.lists(values, min_size=1), shares)
def test_a_quantile_is_within_one_percent_of_the_value_at_its_rank(those: list[float], share: float) -> None:
    found = sketch_of(those).ranked().quantile(share)
    exact = sorted(those)[math.floor(share * (len(those) - 1))]
    assert found is not None
    assert abs(found - exact) <= (ACCURACY + ROUNDING) * exact


@settings(deadline=None)
@given(st.lists(values, min_size=1), shares)
def test_quantiles_are_those_of_the_sketch_that_everybody_knows(those: list[float], share: float) -> None:
    oracle = LogCollapsingLowestDenseDDSketch(ACCURACY, bin_limit=4096)
    for value in those:
        oracle.add(value)
    found, expected = sketch_of(those).ranked().quantile(share), oracle.get_quantile_value(share)
    assert found is not None
    # neighbouring buckets where a value stands on the border of two
    assert math.isclose(found, expected, rel_tol=2.1 * ACCURACY)


@settings(deadline=None)
@given(st.lists(values), st.lists(values))
def test_two_sketches_together_are_the_sketch_of_all(some: list[float], others: list[float]) -> None:
    together, all_at_once = sketch_of(some), sketch_of(some + others)
    together.merge(sketch_of(others))
    assert (together.count, together.zeros) == (all_at_once.count, all_at_once.zeros)
    assert together.buckets == all_at_once.buckets
    assert math.isclose(together.total, all_at_once.total, rel_tol=1e-12)


@settings(deadline=None)
@given(st.lists(values))
def test_a_sketch_survives_being_written(those: list[float]) -> None:
    sketch = sketch_of(those)
    assert Sketch.from_json(orjson.loads(orjson.dumps(sketch.as_json()))) == sketch


def test_nothing_has_neither_mean_nor_quantile() -> None:
    assert (Sketch().mean, Sketch().ranked().quantile(0.5)) == (None, None)
    assert (sketch_of([2.0, 4.0]).mean, sketch_of([0.0]).ranked().quantile(0.99)) == (3.0, 0.0)
