"""ville is the oracle."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from ville import EmpiricalBernsteinCS

from rollouts.bounded import BoundedEvidence

shares = st.lists(st.floats(0, 1), max_size=60)


def after(values: list[float], limit: float = 0.9, lower: bool = False, begins: int = 0) -> BoundedEvidence:
    evidence = BoundedEvidence.of(limit, lower, begins)
    for value in values:
        evidence.add(value)
    return evidence


@pytest.mark.parametrize(("one", "other"), [(9.0, 1.0), (0.5, 0.5), (50.0, 50.0)])
def test_the_interval_is_villes_empirical_bernstein_one(one: float, other: float) -> None:
    values = np.random.default_rng(3).beta(one, other, 700).tolist()
    oracle = EmpiricalBernsteinCS(alpha=0.05, intersect=False).fit(values)
    assert after(values).step.interval() == pytest.approx(oracle.interval(), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(shares)
def test_the_order_of_values_does_not_matter_to_the_evidence(values: list[float]) -> None:
    turned = values[::-1]
    assert after(turned).log_e_harm == pytest.approx(after(values).log_e_harm, abs=1e-9)
    assert after(turned).log_e_safe() == pytest.approx(after(values).log_e_safe(), abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(shares)
def test_values_and_limit_mirrored_it_is_the_same_evidence(values: list[float]) -> None:
    mirrored = after([1 - value for value in values], 0.1, lower=True)
    assert mirrored.log_e_harm == pytest.approx(after(values).log_e_harm, abs=1e-8)
    assert mirrored.log_e_safe() == pytest.approx(after(values).log_e_safe(), abs=1e-8)


@settings(deadline=None, max_examples=40)
@given(shares, st.integers(0, 59), st.floats(0, 1))
def test_a_worse_value_never_lowers_harm_nor_raises_safety(values: list[float], at: int, factor: float) -> None:
    if at >= len(values):
        return
    worse = [*values[:at], factor * values[at], *values[at + 1 :]]
    assert after(worse).log_e_harm >= after(values).log_e_harm - 1e-9
    assert after(worse).log_e_safe() <= after(values).log_e_safe() + 1e-9


@pytest.mark.parametrize("limit", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("lower", [True, False])
def test_no_bet_wins_on_average_at_the_limit(limit: float, lower: bool) -> None:
    zero, one = after([0.0], limit, lower), after([1.0], limit, lower)
    for of_zero, of_one in ((zero.log_e_harm, one.log_e_harm), (zero.log_e_safe(), one.log_e_safe())):
        mean = (1 - limit) * math.exp(of_zero) + limit * math.exp(of_one)
        assert mean <= 1 + 1e-12


def test_what_lies_outside_counts_as_the_nearer_end() -> None:
    assert after([1.7, -3.0]) == after([1.0, 0.0])


def test_good_agreement_is_shown_and_bad_agreement_too() -> None:
    assert after([1.0] * 97 + [0.4] * 3).log_e_safe() > math.log(20)
    assert after([1.0, 0.5] * 50).log_e_harm > math.log(1000)


def test_a_new_step_has_to_show_its_safety_anew_and_harm_goes_on() -> None:
    evidence = after([1.0, 0.5] * 20, begins=1)
    harm = evidence.log_e_harm
    evidence.begin()
    assert evidence.log_e_harm == pytest.approx(harm)
    assert evidence.log_e_safe() == pytest.approx(0.0)
    assert evidence.step.interval() == (0.0, 1.0)


@settings(deadline=None, max_examples=40)
@given(shares, st.integers(0, 60))
def test_what_was_dumped_in_mid_stream_goes_on_with_the_same_numbers(values: list[float], cut: int) -> None:
    kept = TypeAdapter(BoundedEvidence)
    evidence = after(values[:cut])
    loaded = kept.validate_python(json.loads(json.dumps(kept.dump_python(evidence, mode="json"))))
    for value in values[cut:]:
        loaded.add(value)
    assert loaded == after(values)
