"""scipy and ville are the oracles."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.stats import binom, poisson
from ville import BernoulliCS

from rollouts.sequential import GRID, RateEvidence, RatioEvidence, Tick, chance_of_new
from rollouts.wealth import RATIOS, Wealth, gains, log_mean_exp, mixed

Ticks = list[tuple[int, int, int, int]]


def both(*counts: int) -> tuple[Tick, Tick]:
    """Return a tick of units that had no event before, in the step or ever."""
    return Tick(*counts), Tick(*counts)


@st.composite
def ticks(draw: st.DrawFn) -> tuple[int, int, int, int]:
    new, control = draw(st.integers(0, 200)), draw(st.integers(0, 200))
    return new, control, draw(st.integers(0, min(new, 20))), draw(st.integers(0, min(control, 20)))


def after(seen: Ticks, limit: float = 1.2, margin: float = 2.0, lower: bool = True, begins: int = 0) -> RatioEvidence:
    evidence = RatioEvidence.of(limit, margin, lower, begins)
    for tick in seen:
        evidence.observe(*both(*tick))
    return evidence


def expected_wealth(odds: NDArray[np.float64], chance: float, sign: int) -> list[float]:
    """Return each bet's mean wealth after one tick; `odds[a, b]` is the chance of `a` new events and `b` others."""
    cells = [(a, b, odds[a, b]) for a, b in np.ndindex(odds.shape) if odds[a, b] > 1e-15]
    logs = [gains(a, a + b, chance, sign) for a, b, _ in cells]
    return [
        math.fsum(p * math.exp(log[at]) for (_, _, p), log in zip(cells, logs, strict=True))
        for at in range(len(RATIOS))
    ]


def test_without_events_there_is_no_evidence() -> None:
    evidence = after([(100, 900, 0, 0)] * 50)
    assert (evidence.log_e_harm, evidence.log_e_safe()) == (0.0, 0.0)
    assert evidence.step.ratio is None
    assert evidence.step.interval(0.05) == (None, None)


def test_wealth_is_the_likelihood_ratio_of_the_tilted_binomial() -> None:
    for chance in (0.001, 0.3, 0.9):
        for hits, trials in ((0, 7), (3, 7), (7, 7)):
            expected = [
                binom.logpmf(hits, trials, chance * ratio / (chance * ratio + 1 - chance))
                - binom.logpmf(hits, trials, chance)
                for ratio in RATIOS
            ]
            assert gains(hits, trials, chance, 1) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("new", "control", "rate", "limit"), [(50, 450, 0.01, 1.0), (3, 9, 0.2, 2.0), (30, 10, 0.3, 1.5)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_no_bet_wins_on_average_at_the_limit_however_frequent_events_are(
    new: int, control: int, rate: float, limit: float, sign: int
) -> None:
    odds = np.outer(binom.pmf(np.arange(new + 1), new, rate * limit), binom.pmf(np.arange(61), control, rate))
    assert all(mean <= 1 + 1e-9 for mean in expected_wealth(odds, chance_of_new(limit, new, control), sign))


def test_with_poisson_events_each_bet_is_fair_at_the_limit() -> None:
    odds = np.outer(poisson.pmf(np.arange(60), 1.5 * 100 * 0.01), poisson.pmf(np.arange(60), 300 * 0.01))
    assert expected_wealth(odds, chance_of_new(1.5, 100, 300), 1) == pytest.approx([1.0] * len(RATIOS), abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.lists(ticks(), max_size=30))
def test_sides_swapped_and_limits_inverted_it_is_the_same_evidence(seen: Ticks) -> None:
    one = after(seen, 1.25, 2.0)
    swapped = after([(control, new, b, a) for new, control, a, b in seen], 0.8, 0.5, lower=False)
    assert one.log_e_harm == pytest.approx(swapped.log_e_harm, abs=1e-8)
    assert one.log_e_safe() == pytest.approx(swapped.log_e_safe(), abs=1e-8)


@settings(deadline=None, max_examples=40)
@given(st.lists(ticks(), max_size=20), st.integers(0, 19), st.integers(1, 5))
def test_more_events_of_the_new_side_at_the_same_exposures_never_lower_harm_nor_raise_safety(
    seen: Ticks, at: int, more: int
) -> None:
    if at >= len(seen) or seen[at][2] + more > seen[at][0]:
        return
    new, control, a, b = seen[at]
    worse = [*seen[:at], (new, control, a + more, b), *seen[at + 1 :]]
    assert after(worse).log_e_harm >= after(seen).log_e_harm - 1e-9
    assert after(worse).log_e_safe() <= after(seen).log_e_safe() + 1e-9


@settings(deadline=None, max_examples=40)
@given(st.lists(ticks(), max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_what_was_dumped_in_mid_stream_goes_on_with_the_same_numbers(seen: Ticks, cut: int, begin: int) -> None:
    kept = TypeAdapter(RatioEvidence)

    def play(interrupted: bool) -> Any:
        evidence = RatioEvidence.of(1.0, 2.0, True, 3)
        for at, tick in enumerate(seen):
            if at == begin:
                evidence.begin()
            if at == cut and interrupted:
                evidence = kept.validate_python(json.loads(json.dumps(kept.dump_python(evidence, mode="json"))))
            evidence.observe(*both(*tick))
        return kept.dump_python(evidence)

    assert play(interrupted=True) == play(interrupted=False)


def test_ticks_of_a_single_call_are_compared_too() -> None:
    rng = np.random.default_rng(1)
    small, large = RatioEvidence.of(1.2, 2.0, True), RatioEvidence.of(1.2, 2.0, True)
    for _ in range(60):
        is_new = rng.random(100) < 0.2
        is_bad = rng.random(100) < np.where(is_new, 0.06, 0.02)
        for new, bad in zip(is_new.tolist(), is_bad.tolist(), strict=True):
            small.observe(*both(new, not new, new and bad, bad and not new))
        sides = (is_new, ~is_new, is_new & is_bad, ~is_new & is_bad)
        large.observe(*both(*(int(side.sum()) for side in sides)))
    assert large.log_e_harm > math.log(20)
    assert small.log_e_harm == pytest.approx(large.log_e_harm, rel=0.25)


def test_a_side_alone_shows_nothing_and_is_forgotten_at_the_next_step() -> None:
    evidence = after([(100, 0, 9, 0)] * 10, begins=2)
    assert evidence.log_e_harm == pytest.approx(0.0)
    evidence.begin()
    evidence.observe(*both(0, 1000, 0, 1))
    assert evidence.pending == evidence.pending_ever == Tick(0, 1000, 0, 1)
    assert evidence.log_e_harm == pytest.approx(0.0)


def test_harm_is_found_sooner_after_a_long_good_step_when_bets_are_begun_again() -> None:
    good, bad = [(100, 900, 1, 18)] * 200, [(250, 750, 6, 6)] * 12
    once, again = after(good), after(good, begins=2)
    again.begin()
    for tick in bad:
        once.observe(*both(*tick))
        again.observe(*both(*tick))
    assert again.log_e_harm > math.log(20) > once.log_e_harm


def test_a_step_that_begins_shows_its_safety_anew_and_keeps_the_harm() -> None:
    evidence = after([(500, 500, 5, 5)] * 20, begins=1)
    harm = evidence.log_e_harm
    assert evidence.log_e_safe() > math.log(20)
    evidence.begin()
    assert evidence.log_e_safe() == 0.0
    assert evidence.log_e_harm == pytest.approx(harm)


def test_steps_without_events_use_up_no_begin() -> None:
    wealth = Wealth.of([1.0], 2)
    wealth.begin()
    wealth.begin()
    assert wealth.runs == [[0.0]]
    for _ in range(4):
        wealth.add([1.0])
        wealth.begin()
    assert len(wealth.runs) == 3


def test_the_mixture_over_begins_is_worth_one_before_anything_was_seen() -> None:
    assert mixed([0.0], 0) == 0.0
    for begun in range(6):
        assert mixed([0.0] * (begun + 1), 5) == pytest.approx(0.0)


def test_the_estimate_is_mantel_and_haenszels() -> None:
    seen = [(100, 900, 3, 9), (500, 500, 20, 11)]
    above = 3 * 900 / 1000 + 20 * 500 / 1000
    assert after(seen).step.ratio == pytest.approx(above / (9 * 100 / 1000 + 11 * 500 / 1000))


def test_the_interval_is_what_a_mixture_over_ratios_has_not_refuted() -> None:
    seen = [(100, 900, 3, 9), (500, 500, 40, 20), (500, 500, 38, 21)]
    low, high = after(seen).step.interval(0.05)
    logs = [sum(binom.logpmf(a, a + b, chance_of_new(math.exp(g), n, c)) for n, c, a, b in seen) for g in GRID]
    kept = [math.exp(g) for g, log in zip(GRID, logs, strict=True) if log > log_mean_exp(logs) + math.log(0.05)]
    assert low is not None
    assert high is not None
    assert low < min(kept) <= 2.0 <= max(kept) < high
    assert math.log(high / max(kept)) == pytest.approx(GRID[1] - GRID[0])


@pytest.mark.parametrize(("exposed", "events"), [(10, 0), (1000, 3), (50, 50), (400, 200)])
def test_the_interval_of_a_rate_is_the_beta_binomial_one(exposed: int, events: int) -> None:
    evidence = RateEvidence.of(0.01, True)
    evidence.observe(*both(exposed, 0, events, 0))
    oracle = BernoulliCS(alpha=0.05, intersect=False).fit([1] * events + [0] * (exposed - events))
    assert evidence.interval(0.05) == pytest.approx(oracle.interval(), abs=1e-9)


def test_no_errors_in_three_thousand_calls_do_not_show_a_tenth_of_a_percent_in_six_thousand_they_do() -> None:
    evidence = RateEvidence.of(0.001, True)
    evidence.observe(*both(2995, 0, 0, 0))
    assert evidence.log_e_safe() < math.log(20)
    evidence.observe(*both(3005, 0, 0, 0))
    assert evidence.log_e_safe() > math.log(20)


def test_a_rate_above_its_limit_is_shown_and_one_that_should_be_high_is_mirrored() -> None:
    low, high = RateEvidence.of(0.01, True), RateEvidence.of(0.99, False)
    low.observe(*both(2000, 0, 60, 0))
    high.observe(*both(2000, 0, 1940, 0))
    assert low.log_e_harm > math.log(1000)
    assert high.log_e_harm == pytest.approx(low.log_e_harm)
    assert high.log_e_safe() == pytest.approx(low.log_e_safe())


def test_a_later_begin_counts_units_that_had_their_event_before_and_the_first_one_does_not() -> None:
    evidence = after([(100, 900, 1, 18)] * 20, begins=2)
    evidence.begin()
    before = evidence.harm.runs[0][:]
    for _ in range(20):
        # nobody is left who never had one
        evidence.observe(Tick(500, 500, 30, 10), Tick(0, 0, 0, 0))
    assert evidence.harm.runs[0] == before
    assert evidence.log_e_harm > math.log(20)
    assert evidence.step.events_new == 600
