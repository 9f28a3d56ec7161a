"""What a quantile's threshold and its limits are made of; scipy is the oracle."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import lognorm

from rollouts.baseline import Baseline


def counted(latencies: list[float]) -> Baseline:
    baseline = Baseline()
    for latency in latencies:
        baseline.add(latency)
    return baseline


def lognormal(count: int, seed: int = 1) -> list[float]:
    latencies: list[float] = np.random.default_rng(seed).lognormal(5, 0.5, count).tolist()
    return latencies


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.01, 1e5), min_size=20, max_size=100), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_threshold_is_the_quantile_within_a_bucket_above_it(latencies: list[float], quantile: float) -> None:
    threshold = counted(latencies).frozen(quantile, 1.0, 2.0).threshold_ms
    exact = float(np.quantile(latencies, quantile, method="inverted_cdf"))
    assert exact * (1 - 1e-9) <= threshold <= exact * 1.0203


@pytest.mark.parametrize("times", [1.2, 1.5, 2.0])
def test_a_ratio_of_times_becomes_a_ratio_of_exceedances(times: float) -> None:
    frozen = counted(lognormal(100_000)).frozen(0.95, times, times)
    survival = lognorm(0.5, scale=math.exp(5)).sf
    exact = survival(frozen.threshold_ms / times) / survival(frozen.threshold_ms)
    assert exact < frozen.limit < 1.08 * exact
    assert 0.92 * exact < frozen.margin < exact


def test_what_a_short_baseline_is_usually_off_is_given_to_the_limit_and_taken_from_the_margin() -> None:
    survival = lognorm(0.5, scale=math.exp(5)).sf
    limits, margins = 0, 0
    for seed in range(100):
        frozen = counted(lognormal(1000, seed)).frozen(0.95, 1.2, 2.0)
        at_limit = survival(frozen.threshold_ms / 1.2) / survival(frozen.threshold_ms)
        at_margin = survival(frozen.threshold_ms / 2.0) / survival(frozen.threshold_ms)
        limits += frozen.limit >= at_limit
        margins += frozen.margin <= at_margin
    assert min(limits, margins) >= 75


def test_no_slower_than_the_control_is_a_ratio_of_one_without_error() -> None:
    assert counted(lognormal(100)).frozen(0.95, 1.0, 2.0).limit == 1.0


def test_a_limit_below_one_asks_for_less_exceedances_than_the_controls() -> None:
    frozen = counted(lognormal(10_000)).frozen(0.95, 0.8, 1.2)
    assert 0 < frozen.limit < 1 < frozen.margin


def test_latencies_that_are_all_alike_still_give_a_threshold() -> None:
    frozen = counted([5.0] * 100).frozen(0.999, 1.2, 2.0)
    assert frozen.threshold_ms == pytest.approx(5.0, rel=0.021)
    assert frozen.limit >= frozen.margin * 0.9 >= 1.0


def test_a_latency_of_nothing_is_counted() -> None:
    assert counted([0.0] * 100).frozen(0.95, 1.0, 2.0).threshold_ms < 0.01


def test_there_is_no_quantile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no quantile of nothing"):
        Baseline().frozen(0.95, 1.0, 2.0)
