import random
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.measures.counts import Moments
from app.measures.estimates import Estimate, mean, mean_of, often, quantile, share
from app.measures.sketch import Sketch


def ends(found: Estimate | None) -> tuple[float, float, float]:
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.low, found.value, found.high


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 1))
def test_a_share_has_wilsons_interval(whole: int, part: float) -> None:
    count = int(whole * part)
    exact = stats.binomtest(count, whole).proportion_ci(0.95, "wilson")
    low, value, high = ends(share(count, whole))
    assert (low, high) == (pytest.approx(exact.low, abs=1e-9), pytest.approx(exact.high, abs=1e-9))
    assert 0 <= low <= value <= high <= 1


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_how_often_something_happened_is_inside_its_interval(times: int, whole: int) -> None:
    low, value, high = ends(often(times, whole))
    assert 0 <= low <= value < high
    assert value == pytest.approx(100 * times / whole)


def test_what_is_rare_has_about_the_interval_of_a_share() -> None:
    low, _, high = ends(often(10, 100_000))
    assert (low / 100, high / 100) == pytest.approx(ends(share(10, 100_000))[::2], rel=1e-3)


@settings(deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=50))
def test_a_mean_has_the_normal_interval(values: list[float]) -> None:
    amount = Moments()
    for value in values:
        amount.add(value)
    low, middle, high = ends(mean(amount))
    half = stats.norm.ppf(0.975) * stdev(values) / len(values) ** 0.5
    assert middle == pytest.approx(fmean(values), abs=1e-6)
    assert (low, high) == (pytest.approx(middle - half, abs=1e-3), pytest.approx(middle + half, abs=1e-3))


def test_nothing_has_no_figure_and_one_value_no_interval() -> None:
    assert [share(0, 0), often(0, 0), mean(Moments()), mean_of(Sketch()), quantile(Sketch().ranked(), 0.5)] == [
        None
    ] * 5
    one = Sketch()
    one.add(5.0)
    alone = Estimate(value=5.0, low=None, high=None, n=1)
    assert (mean(Moments(1, 5.0, 25.0)), mean_of(one)) == (alone, alone)


@pytest.mark.parametrize("part", [0.5, 0.95, 0.99])
def test_a_quantiles_interval_has_the_truth_in_it_as_often_as_it_says(part: float) -> None:
    chance = random.Random(part)
    truth = stats.lognorm.ppf(part, 0.6, scale=90)
    inside = 0
    for _ in range(200):
        sketch = Sketch()
        for _ in range(600):
            sketch.add(90 * chance.lognormvariate(0, 0.6))
        low, value, high = ends(quantile(sketch.ranked(), part))
        assert low <= value <= high
        inside += low <= truth <= high
    assert inside >= 180


def test_the_interval_of_a_quantile_is_open_where_no_value_bounds_it() -> None:
    few = Sketch()
    for value in range(1, 21):
        few.add(float(value))
    found = quantile(few.ranked(), 0.99)
    assert found is not None
    assert (found.low is not None, found.high) == (True, None)


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 1e5), min_size=2, max_size=100))
def test_a_sketch_has_the_exact_mean_and_about_its_interval(values: list[float]) -> None:
    sketch, amount = Sketch(), Moments()
    for value in values:
        sketch.add(value)
        amount.add(value)
    low, middle, high = ends(mean_of(sketch))
    exact = ends(mean(amount))
    assert middle == pytest.approx(exact[1])
    assert high - low == pytest.approx(exact[2] - exact[0], rel=0.05, abs=0.05 * middle)
