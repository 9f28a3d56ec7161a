"""scipy and ville are the oracles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm
from ville import AsymptoticCS
from ville._boundaries import normal_mixture

from rollouts.means import (
    LEAST_UNITS,
    PRECISION,
    Excess,
    MeanEvidence,
    Moments,
    Stratum,
    difference,
    distance,
    squared_reach,
)


def moments(values: list[float]) -> Moments:
    kept = Moments()
    for value in values:
        kept.add(value)
    return kept


def drawn(seed: int, mean: float, count: int) -> list[float]:
    values: list[float] = np.random.default_rng(seed).gamma(2.0, mean / 2, count).tolist()
    return values


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200))
def test_moments_are_those_of_the_values(values: list[float]) -> None:
    kept = moments(values)
    assert kept.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert kept.squares / (kept.count - 1) == pytest.approx(np.var(values, ddof=1), rel=1e-6, abs=1e-6)
    assert kept.events == np.count_nonzero(values)


@pytest.mark.parametrize("total", [-900.0, -40.0, 0.0, 35.0, 160.0])
def test_the_e_value_is_the_half_normal_mixture_of_likelihood_ratios(total: float) -> None:
    units, spread = 1200.0, 1 / math.sqrt(PRECISION)

    def bet(effect: float) -> float:
        return 2 * norm.pdf(effect, scale=spread) * math.exp(effect * total - effect**2 * units / 2)

    expected, _ = quad(bet, 0, 12 * spread, epsabs=0, epsrel=1e-9)
    assert Excess(total, units, units).log_e(1) == pytest.approx(math.log(expected), abs=0.02)
    assert Excess(-total, units, units).log_e(-1) == Excess(total, units, units).log_e(1)


def test_the_e_value_reaches_one_by_alpha_where_villes_one_sided_boundary_is() -> None:
    for units in (400.0, 5000.0, 80_000.0):
        boundary = float(normal_mixture(units, 0.05, PRECISION, one_sided=True))
        assert Excess(boundary, units, units).log_e(1) == pytest.approx(math.log(20), abs=1e-6)


def test_the_interval_of_a_mean_is_villes_at_the_same_precision() -> None:
    values = drawn(1, 2.0, 2000)
    evidence = MeanEvidence()
    for value in values:
        evidence.add(True, value)
    oracle = AsymptoticCS(alpha=0.05)
    oracle.rho_ = PRECISION
    assert evidence.mean_interval(0.05) == pytest.approx(oracle.update(values).interval(), rel=1e-6)
    assert squared_reach(2000, 0.05) == pytest.approx(float(normal_mixture(2000, 0.05, PRECISION)) ** 2 / 2000)


def test_the_interval_of_the_ratio_holds_the_ratios_whose_difference_may_be_nothing() -> None:
    evidence = MeanEvidence([Stratum(moments(drawn(1, 2.2, 900)), moments(drawn(2, 2.0, 3000)))])
    low, high = evidence.interval(0.05)
    assert low is not None
    assert high is not None
    assert low < (evidence.ratio or 0.0) < high
    reach = squared_reach(3900, 0.05)
    for end in (low, high):
        excess = difference(evidence.step, end)
        assert excess.total**2 / excess.variance == pytest.approx(reach)


@pytest.mark.parametrize(("units", "events"), [(LEAST_UNITS - 1, 299), (5000, 9)])
def test_too_few_units_or_values_say_nothing_however_far_they_are_apart(units: int, events: int) -> None:
    few = moments([100.0] * events + [0.0] * (units - events))
    much = moments(drawn(1, 1.0, 5000))
    assert difference(Stratum(few, much), 1.0) == difference(Stratum(much, few), 1.0) == Excess()
    assert distance(Stratum(few, much), 1.0).log_e(1) == 0.0
    assert MeanEvidence([Stratum(few, much)]).interval(0.05) == (None, None)


def test_a_constant_cost_that_is_half_as_much_again_is_found() -> None:
    evidence = MeanEvidence([Stratum(moments([0.003] * 400), moments([0.002] * 400))])
    assert evidence.log_e_against(1.0, 1, 0) > math.log(1e6)


def test_steps_of_different_shares_are_never_pooled() -> None:
    """Both sides cost the same at any time, and cost rises while the new side's share does."""
    evidence = MeanEvidence()
    for step, (new, control) in enumerate(((500, 4500), (2500, 2500))):
        evidence.begin()
        for is_new, count in ((True, new), (False, control)):
            for value in drawn(step, 1.0 + 2 * step, count):
                evidence.add(is_new, value)
    assert evidence.log_e_against(1.0, 1, 3) < math.log(20)
    pooled = [Moments(), Moments()]
    for side, count, mean in ((0, 500, 1.0), (0, 2500, 3.0), (1, 4500, 1.0), (1, 2500, 3.0)):
        for value in drawn(side, mean, count):
            pooled[side].add(value)
    assert difference(Stratum(*pooled), 1.0).log_e(1) > math.log(1e6)


def test_a_step_without_values_adds_no_stratum() -> None:
    evidence = MeanEvidence()
    evidence.begin()
    evidence.add(True, 1.0)
    evidence.begin()
    evidence.begin()
    assert len(evidence.strata) == 2


@settings(deadline=None)
@given(st.floats(0.1, 3.0), st.floats(0.0, 1.0))
def test_a_higher_mean_never_lowers_the_evidence_of_harm(mean: float, more: float) -> None:
    new, control = moments(drawn(1, 1.0, 400)), moments(drawn(2, 1.0, 400))
    new.mean = mean
    low = difference(Stratum(new, control), 1.0).log_e(1)
    spread = new.variance
    new.mean = mean + more
    if new.variance == spread:
        assert difference(Stratum(new, control), 1.0).log_e(1) >= low
