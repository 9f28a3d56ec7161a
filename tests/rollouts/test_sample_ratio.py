"""scipy is the oracle."""

import math

import pytest
from scipy.special import betaln
from scipy.stats import betabinom, binom

from rollouts.evidence import Side, Verdict
from rollouts.sample_ratio import SampleRatio


def test_the_e_value_is_the_beta_binomial_against_the_binomial() -> None:
    ratio = SampleRatio()
    ratio.observe(0.1, 130, 970)
    expected = betabinom.logpmf(130, 1100, 10, 90) - binom.logpmf(130, 1100, 0.1)
    assert ratio.log_e == pytest.approx(expected)


def test_how_units_are_cut_into_batches_does_not_matter() -> None:
    whole, cut = SampleRatio(), SampleRatio()
    whole.observe(0.25, 30, 70)
    for _ in range(10):
        cut.observe(0.25, 3, 7)
    assert cut == whole


def test_a_ramp_is_no_mismatch_and_each_share_is_judged_by_itself() -> None:
    ratio = SampleRatio()
    ratio.observe(0.1, 1000, 9000)
    before = ratio.log_e
    ratio.observe(0.5, 5200, 4800)
    own = betaln(50 + 5200, 50 + 4800) - betaln(50, 50) - 10_000 * math.log(0.5)
    assert ratio.log_e == pytest.approx(before + own)
    assert before < 0


def test_all_or_nothing_leaves_nothing_to_chance() -> None:
    ratio = SampleRatio()
    ratio.observe(1.0, 50, 3)
    ratio.observe(0.0, 50, 3)
    assert ratio.judge().verdict is Verdict.NO_DATA
    assert ratio.judge().needs == "no units yet"


def test_a_right_split_passes_and_a_wrong_one_fails_and_says_how_wrong_it_is() -> None:
    ratio = SampleRatio()
    ratio.observe(0.5, 1010, 990)
    assert ratio.judge().verdict is Verdict.PASS
    ratio.observe(0.5, 990, 510)
    judgement = ratio.judge()
    assert judgement.verdict is Verdict.FAIL
    assert (judgement.new, judgement.control) == (Side(2000), Side(1500))
    assert judgement.e_harm >= 100
    assert judgement.needs == "the new side should have 50.000% of the units, and has 57.143%"
