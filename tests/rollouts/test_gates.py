import json
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.evidence import Judgement, Side, Verdict
from rollouts.gates import GateStatistics
from rollouts.plan import Gate
from rollouts.sequential import Tick

ERRORS = Gate(metric="error_rate", relative_max=1.2)
BOTH = Gate(metric="error_rate", relative_max=1.2, absolute_max=0.05)
P95 = Gate(metric="latency_ms", quantile=0.95, relative_max=1.0)
P95_BOTH = Gate(metric="latency_ms", quantile=0.95, relative_max=1.0, absolute_max=800)
LIKES = Gate(metric="outcome:like", relative_min=0.9)
COST = Gate(metric="cost", relative_max=1.2, absolute_max=5)
AGREEMENT = Gate(metric="agreement", absolute_min=0.9)
QUALITY = Gate(metric="outcome:quality", relative_min=0.95, absolute_min=0.5)
GATES = {
    "rate": ERRORS,
    "rate, both": BOTH,
    "p95": P95,
    "p95, both": P95_BOTH,
    "likes": LIKES,
    "cost": COST,
    "agreement": AGREEMENT,
    "quality": QUALITY,
}


def both(*counts: int) -> tuple[Tick, Tick]:
    """Return a tick of units that had no event before, in the step or ever."""
    return Tick(*counts), Tick(*counts)


def absolute(exposed: int, events: int) -> tuple[Tick, Tick]:
    return both(exposed, 0, events, 0)


def state(gate: Gate, baseline_calls: int = 100) -> GateStatistics:
    return GateStatistics(gate, baseline_calls, 3)


def judged(statistics: GateStatistics) -> Judgement:
    return statistics.judge(0.05, 0.05)


def with_baseline(gate: Gate) -> GateStatistics:
    statistics = state(gate)
    for at in range(100):
        statistics.add_baseline(100.0 + at)
    return statistics


def random_life(statistics: GateStatistics, chance: random.Random) -> GateStatistics:
    """Do one of all that can be done to a gate."""
    choice = chance.randrange(5)
    if choice == 0:
        statistics.begin_step(chance.randrange(4))
    elif choice == 1:
        for _ in range(60):
            statistics.add_baseline(chance.lognormvariate(4, 1))
    elif choice == 2:
        statistics.tick(
            *both(chance.randrange(9, 99), chance.randrange(9, 99), chance.randrange(9), chance.randrange(9))
        )
    elif choice == 3:
        statistics.tick_absolute(*absolute(chance.randrange(9, 99), chance.randrange(9)))
    else:
        for _ in range(400):
            statistics.value(chance.random() < 0.5, chance.random())
    return statistics


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
def test_nothing_counted_is_no_data_and_says_what_is_missing(gate: Gate) -> None:
    judgement = judged(state(gate))
    assert judgement.verdict is Verdict.NO_DATA
    assert judgement.needs
    assert (judgement.e_harm, judgement.e_safe) == pytest.approx((1.0, 1.0))


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES.keys())
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), cut=st.integers(0, 14))
def test_what_was_dumped_in_mid_stream_goes_on_with_the_same_numbers(gate: Gate, seed: int, cut: int) -> None:
    lives = []
    for interrupted in (False, True):
        chance, statistics = random.Random(seed), state(gate)
        for at in range(15):
            if interrupted and at == cut:
                statistics = GateStatistics.load(gate, 100, json.loads(json.dumps(statistics.dump())))
            random_life(statistics, chance)
        lives.append((statistics.dump(), judged(statistics)))
    assert lives[0] == lives[1]


def test_what_is_no_dump_is_refused() -> None:
    with pytest.raises(ValueError, match="begins"):
        GateStatistics.load(ERRORS, 100, {"step": 1})


def test_a_new_side_as_good_as_the_control_passes_and_needs_nothing() -> None:
    statistics = state(ERRORS)
    for _ in range(40):
        statistics.tick(*both(250, 250, 3, 3))
    judgement = judged(statistics)
    assert judgement.verdict is Verdict.PASS
    assert (judgement.new, judgement.control) == (Side(10_000, 120), Side(10_000, 120))
    assert judgement.ratio == pytest.approx(1.0)
    assert judgement.low is not None
    assert judgement.high is not None
    assert judgement.low < 1 < judgement.high < 2
    assert judgement.e_safe >= 20 > judgement.e_harm
    assert judgement.needs == ""


def test_three_times_the_errors_fail() -> None:
    statistics = state(ERRORS)
    for _ in range(20):
        statistics.tick(*both(50, 450, 2, 5))
    judgement = judged(statistics)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.e_harm >= 20
    assert judgement.ratio == pytest.approx(3.6)


def test_too_little_is_inconclusive_and_says_how_much_more_would_do() -> None:
    statistics = state(ERRORS)
    for _ in range(10):
        statistics.tick(*both(100, 400, 1, 4))
    judgement = judged(statistics)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    head, tail = "about ", " more calls of the new side at this rate would show that its rate is below 2x the control's"
    assert judgement.needs.startswith(head)
    assert judgement.needs.endswith(tail)
    more = int(judgement.needs.removeprefix(head).removesuffix(tail).replace(",", ""))
    for _ in range(round(1.02 * more / 100) + 1):
        statistics.tick(*both(100, 400, 1, 4))
    assert judged(statistics).verdict is Verdict.PASS


def test_at_the_margin_more_of_the_same_would_not_do() -> None:
    statistics = state(ERRORS)
    statistics.tick(*both(500, 500, 8, 4))
    assert (
        judged(statistics).needs == "as things are, more calls would not show that its rate is below 2x the control's"
    )


def test_without_an_event_there_is_no_ratio() -> None:
    statistics = state(ERRORS)
    statistics.tick(*both(500, 500, 0, 0))
    judgement = judged(statistics)
    assert (judgement.verdict, judgement.ratio) == (Verdict.INCONCLUSIVE, None)
    assert judgement.needs == "there is no ratio before it happens on either side"


@pytest.mark.parametrize(
    ("tick", "needs"),
    [((9, 0, 1, 0), "no calls of the control in this step"), ((0, 9, 0, 1), "no calls of the new side yet")],
)
def test_a_side_without_calls_is_no_data(tick: tuple[int, int, int, int], needs: str) -> None:
    statistics = state(ERRORS)
    statistics.tick(*both(*tick))
    assert (judged(statistics).verdict, judged(statistics).needs) == (Verdict.NO_DATA, needs)


def test_the_worst_of_two_limits_counts() -> None:
    good, bad = state(BOTH), state(BOTH)
    for _ in range(40):
        good.tick(*both(250, 250, 3, 3))
        bad.tick(*both(250, 250, 30, 30))
    assert judged(good).verdict is Verdict.PASS
    judgement = judged(bad)
    assert judgement.verdict is Verdict.FAIL
    assert judgement.ratio == pytest.approx(1.0)


def test_a_held_absolute_limit_does_not_pass_for_an_open_relative_one() -> None:
    statistics = state(BOTH)
    statistics.tick(*both(2000, 2000, 2, 1))
    judgement = judged(statistics)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "its rate is below 2x the control's" in judgement.needs


def test_two_sides_without_a_fault_pass_by_the_absolute_limit_and_by_nothing_else() -> None:
    flawless, too_few, alone = state(BOTH), state(BOTH), state(BOTH)
    flawless.tick(*both(2000, 2000, 0, 0))
    too_few.tick(*both(20, 2000, 0, 0))
    alone.tick(*both(2000, 0, 0, 0))
    assert judged(flawless).verdict is Verdict.PASS
    assert judged(flawless).e_safe >= 20
    assert judged(too_few).verdict is Verdict.INCONCLUSIVE
    assert judged(alone).verdict is Verdict.NO_DATA


def test_a_step_has_to_pass_by_itself() -> None:
    statistics = state(ERRORS)
    for _ in range(40):
        statistics.tick(*both(250, 250, 3, 3))
    statistics.begin_step(1)
    assert judged(statistics).verdict is Verdict.NO_DATA
    assert judged(statistics).new == Side()
    statistics.tick(*both(250, 250, 3, 3))
    assert judged(statistics).verdict is Verdict.INCONCLUSIVE


def test_to_begin_the_step_it_is_at_changes_nothing() -> None:
    statistics = state(ERRORS)
    statistics.tick(*both(250, 250, 3, 3))
    before = statistics.dump()
    statistics.begin_step(0)
    assert statistics.dump() == before


@pytest.mark.parametrize(
    ("gate", "feed"),
    [
        (ERRORS, lambda it: it.tick(*both(250, 250, 30, 5))),
        (BOTH, lambda it: it.tick(*both(250, 250, 60, 60))),
        (COST, lambda it: [it.value(True, 9.0 + at % 3) for at in range(400)]),
        (AGREEMENT, lambda it: [it.value(True, 0.5) for _ in range(200)]),
    ],
    ids=["rate", "rate, absolute", "mean", "bounded"],
)
def test_harm_that_was_shown_stays_shown_in_the_next_step(gate: Gate, feed: Callable[[GateStatistics], object]) -> None:
    statistics = state(gate)
    feed(statistics)
    assert judged(statistics).verdict is Verdict.FAIL
    statistics.begin_step(1)
    assert judged(statistics).verdict is Verdict.FAIL


def test_likes_should_be_many() -> None:
    fewer, as_many = state(LIKES), state(LIKES)
    for _ in range(20):
        fewer.tick(*both(250, 250, 10, 20))
        as_many.tick(*both(250, 250, 20, 20))
    assert judged(fewer).verdict is Verdict.FAIL
    assert judged(as_many).verdict is Verdict.PASS


def test_an_outcome_without_calls_says_that_young_ones_still_wait() -> None:
    assert judged(state(LIKES)).needs == (
        "no calls of the new side yet; those of the last minutes still wait for their outcomes"
    )


def test_a_quantile_counts_nothing_before_its_threshold_is_fixed() -> None:
    statistics = state(P95)
    for at in range(99):
        statistics.add_baseline(100.0 + at)
    statistics.tick(*both(50, 50, 50, 0))
    assert (statistics.is_baseline_wanted, statistics.threshold) == (True, None)
    assert judged(statistics).needs == "1 more calls of the control fix the threshold"
    statistics.add_baseline(199.0)
    assert not statistics.is_baseline_wanted
    assert statistics.threshold == pytest.approx(194, rel=0.021)
    assert judged(statistics).verdict is Verdict.NO_DATA
    assert judged(statistics).threshold_ms == statistics.threshold
    statistics.add_baseline(9999.0)
    assert statistics.threshold == pytest.approx(194, rel=0.021)


def test_a_slower_side_exceeds_the_threshold_more_often_and_fails() -> None:
    statistics = with_baseline(P95)
    for _ in range(20):
        statistics.tick(*both(50, 450, 8, 22))
    assert judged(statistics).verdict is Verdict.FAIL


def test_the_absolute_limit_of_a_quantile_needs_no_baseline_and_no_control() -> None:
    gate = Gate(metric="latency_ms", quantile=0.95, absolute_max=800)
    good, bad = state(gate), state(gate)
    assert not good.is_baseline_wanted
    good.tick_absolute(*absolute(1000, 20))
    bad.tick_absolute(*absolute(1000, 100))
    assert judged(good).verdict is Verdict.PASS
    assert judged(good).new == Side(1000, 20)
    assert judged(bad).verdict is Verdict.FAIL
    few = state(gate)
    few.tick_absolute(*absolute(50, 1))
    assert judged(few).needs.endswith("would show that its p95 is below 800 ms")


def test_a_quantile_has_two_counts_that_do_not_mix() -> None:
    statistics = with_baseline(P95_BOTH)
    statistics.tick(*both(40, 40, 2, 2))
    assert judged(statistics).verdict is Verdict.NO_DATA
    statistics.tick_absolute(*absolute(40, 0))
    judgement = judged(statistics)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert (judgement.new, judgement.control) == (Side(40, 2), Side(40, 2))
    rate = state(BOTH)
    rate.tick_absolute(*absolute(1000, 1000))
    assert judged(rate).verdict is Verdict.NO_DATA


def test_an_absolute_limit_alone_shows_the_interval_of_the_rate() -> None:
    statistics = state(Gate(metric="error_rate", absolute_max=0.01))
    statistics.tick(*both(1000, 0, 2, 0))
    judgement = judged(statistics)
    assert judgement.ratio is None
    assert judgement.low is not None
    assert judgement.high is not None
    assert 0 < judgement.low < 0.002 < judgement.high < 0.02


def test_a_mean_needs_enough_units_of_both_sides_and_both_limits() -> None:
    chance, statistics = random.Random(1), state(COST)
    for _ in range(299):
        statistics.value(True, 4 + chance.random())
        statistics.value(False, 4 + chance.random())
    judgement = judged(statistics)
    assert (judgement.verdict, judgement.low) == (Verdict.INCONCLUSIVE, None)
    assert judgement.ratio == pytest.approx(1.0, abs=0.05)
    for _ in range(200):
        statistics.value(True, 4 + chance.random())
        statistics.value(False, 4 + chance.random())
    judgement = judged(statistics)
    assert judgement.verdict is Verdict.PASS
    assert judgement.new.exposures == 499
    assert judgement.new.mean == pytest.approx(4.5, abs=0.1)


@pytest.mark.parametrize(("new", "control"), [(1, 1), (1, 20), (20, 1)])
def test_a_mean_of_a_single_value_is_judged(new: int, control: int) -> None:
    statistics = state(COST)
    for is_new, count in ((True, new), (False, control)):
        for _ in range(count):
            statistics.value(is_new, 4.0)
    judgement = judged(statistics)
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "more units of the new side" in judgement.needs


def test_what_is_no_number_is_left_out() -> None:
    statistics = state(COST)
    for value in (float("nan"), float("inf")):
        statistics.value(True, value)
    assert judged(statistics).new == Side()


def test_agreement_is_of_both_sides_together_and_quality_of_the_new_one() -> None:
    agreement, quality = state(AGREEMENT), state(QUALITY)
    for at in range(400):
        agreement.value(at % 2 == 0, 1.0)
        quality.value(at % 2 == 0, 0.9 if at % 2 == 0 else 0.1)
    assert judged(agreement).verdict is Verdict.PASS
    assert judged(agreement).new == Side(400, mean=1.0)
    assert judged(quality).verdict is Verdict.INCONCLUSIVE


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_a_verdict_is_the_one_of_the_judgement_and_only_open_ones_need_something(seed: int) -> None:
    chance = random.Random(seed)
    for gate in GATES.values():
        statistics = state(gate)
        for _ in range(12):
            random_life(statistics, chance)
        judgement = judged(statistics)
        assert statistics.verdict(0.05, 0.05) is judgement.verdict
        assert bool(judgement.needs) == (judgement.verdict not in {Verdict.PASS, Verdict.FAIL})
