import json
from datetime import timedelta
from typing import Any

import pytest

from rollouts.evidence import Judgement, Recent, Side, Verdict
from rollouts.fold import judged, limits_that_fail
from rollouts.model import RolloutState
from rollouts.statistics import Statistics
from tests.rollouts.lines import BEGAN, ERRORS, START_S, Folded, call, outcome, plan_of, running

LIKES = {"likes": {"metric": "outcome:like", "relative_min": 0.9}}
RATINGS = {"rating": {"metric": "outcome:rating", "relative_min": 0.9}}


def judgement(folded: Folded, gate: str = "errors", after_s: float = 1e6) -> Judgement:
    return judged(folded.closed(after_s), folded.rollout).judgements[gate]


def test_calls_count_up_to_and_including_the_first_error_of_their_unit() -> None:
    folded = Folded(running(plan_of()))
    found = folded.take([call("a"), call("a", is_error=True), call("a"), call("a", is_error=True), call("b")])
    assert judgement(folded).new == Side(exposures=3, events=1)
    assert found == [("a", ""), ("a", "@0"), ("a", "errors"), ("a", "errors@0"), ("b", ""), ("b", "@0")]


def test_a_unit_whose_first_error_of_the_visit_the_store_knows_is_not_at_risk() -> None:
    folded = Folded(running(plan_of()))
    folded.known |= {("a", "errors"), ("a", "errors@0")}
    assert folded.take([call("a", is_error=True)]) == [("a", ""), ("a", "@0")]
    assert judgement(folded).verdict is Verdict.NO_DATA


def test_a_unit_that_had_its_error_in_an_earlier_step_is_at_risk_in_the_next_but_not_since_the_start() -> None:
    folded = Folded(running(plan_of(), (0, 0.0), (1, 100.0)))
    folded.take([call("a", is_error=True), call("b", is_new=False)])
    found = folded.take([call("a", 110, version=2, is_error=True), call("b", 110, version=2, is_new=False)])
    assert found == [("a", "@1"), ("a", "errors@1")]
    assert judgement(folded).new == Side(exposures=1, events=1)
    ratio = folded.statistics.gates["errors"].dump()["ratio"]
    assert isinstance(ratio, dict)
    # each has seen one event of the unit, and of one exposure of each side
    since_the_start, since_the_step = ratio["harm"]["runs"]  # type: ignore[index, call-overload]
    assert since_the_start == since_the_step != [0.0] * 6


def test_lines_that_are_in_the_statistics_already_change_nothing() -> None:
    folded = Folded(running(plan_of()))
    folded.take([call("a"), call("b")])
    before = folded.statistics.dump()
    folded._numbers = iter([1, 2])  # type: ignore[assignment]  # the same numbers again
    assert folded.take([call("c"), call("d")]) == []
    assert folded.statistics.dump() == before


def test_lines_of_another_version_of_the_flag_move_the_cursor_and_nothing_else() -> None:
    folded = Folded(running(plan_of()))
    assert folded.take([call("a", version=7)]) == []
    assert folded.statistics.seq == 1
    assert judgement(folded).verdict is Verdict.NO_DATA


def test_both_sides_are_counted_where_they_were_decided() -> None:
    folded = Folded(running(plan_of()))
    folded.take([call("a"), call("b", is_new=False), call("c", is_new=False, is_error=True, is_fallback=True)])
    found = judgement(folded)
    assert (found.new, found.control) == (Side(1, 0), Side(2, 1))


def test_in_the_warm_up_only_the_sample_ratio_and_the_hard_limits_count() -> None:
    folded = Folded(running(plan_of(warm_up_s=60)))
    assert folded.take([call("a", 59.0, is_error=True), call("b", 59.0, is_new=False)]) == [("a", ""), ("b", "")]
    found = judged(folded.closed(80.0), folded.rollout)
    assert found.judgements["errors"].verdict is Verdict.NO_DATA
    assert found.units == 0
    assert (found.sample_ratio.new, found.sample_ratio.control) == (Side(1), Side(1))
    assert folded.statistics.recent(BEGAN + timedelta(seconds=60)) == Recent(1, 1)
    folded.take([call("a", 60.0, is_error=True)])
    assert judgement(folded).new == Side(1, 1)


def test_without_a_warm_up_a_call_counts_from_the_second_in_which_its_step_began() -> None:
    folded = Folded(running(plan_of(), (0, 0.7)))
    folded.take([call("a", 0.0)])
    assert judgement(folded).new == Side(1, 0)


def test_late_lines_of_an_earlier_step_only_take_their_unit_out_of_the_risk_set() -> None:
    folded = Folded(running(plan_of(), (0, 0.0), (1, 100.0)))
    folded.take(
        [call("a", 101.0, version=2), call("b", 102.0, is_error=True, decided_at=START_S + 99), call("c", 103.0)]
    )
    assert judgement(folded).new == Side(1, 0)
    assert ("b", "errors") in folded.known
    folded.take([call("b", 104.0, version=2)])
    assert judgement(folded).new == Side(1, 0)


def test_a_new_step_has_to_pass_anew_and_counts_its_own_units() -> None:
    plan = plan_of()
    folded = Folded(running(plan))
    folded.take([call("a"), call("b"), call("b"), call("c", is_new=False)])
    assert judged(folded.closed(), folded.rollout).units == 2
    folded.rollout = running(plan, (0, 0.0), (1, 100.0))
    found = judged(folded.statistics, folded.rollout)
    assert (found.units, found.judgements["errors"].verdict) == (0, Verdict.NO_DATA)
    folded.take([call("a", 101.0, version=2)])
    assert judged(folded.statistics, folded.rollout).units == 1


def test_what_passed_before_does_not_pass_the_next_step_or_the_bake() -> None:
    plan = plan_of()
    folded = Folded(running(plan))
    folded.take(call(f"{at}", at / 100, is_new=at % 2 == 0, is_error=at % 100 < 2) for at in range(20_000))
    assert judgement(folded).verdict is Verdict.PASS
    folded.rollout = running(plan, baking_since=BEGAN, state=RolloutState.BAKING)
    assert judgement(folded).verdict is Verdict.NO_DATA
    assert judgement(folded).verdict is Verdict.NO_DATA


def test_a_step_that_is_gone_back_to_is_judged_anew() -> None:
    plan = plan_of(RATINGS)
    folded = Folded(running(plan))
    folded.take([outcome("rating", "a", 1.0, 1.0, value=5.0)])
    folded.rollout = running(plan, (0, 0.0), (1, 100.0), (0, 200.0))
    folded.take([outcome("rating", "a", 201.0, 201.0, version=3, value=3.0)])
    found = judgement(folded, "rating").new
    assert (found.exposures, found.mean) == (1, 3.0)


def test_a_version_that_somebody_else_wrote_goes_on_with_its_step() -> None:
    folded = Folded(running(plan_of(), (0, 0.0), (0, 0.0)))
    folded.take([call("a", 1.0, version=1), call("b", 2.0, version=2), call("c", 3.0, version=1)])
    assert judgement(folded).new == Side(3, 0)


def test_of_a_reported_outcome_calls_are_exposures_and_the_first_one_is_the_event() -> None:
    folded = Folded(running(plan_of(LIKES)))
    folded.take([call("a", 1.0), call("b", 2.0), outcome("like", "a", 5.0, 1.0), outcome("like", "a", 6.0, 1.0)])
    assert judgement(folded, "likes", 100.0).verdict is Verdict.NO_DATA
    assert judgement(folded, "likes").new == Side(2, 1)


def test_an_outcome_is_compared_with_the_calls_of_when_it_was_decided() -> None:
    folded = Folded(running(plan_of(LIKES)))
    early = [call("a", 1.0), call("b", 2.0, is_new=False)]
    later = [call(f"{at}", 100.0, is_new=False) for at in range(98)]
    folded.take([*early, *later, outcome("like", "a", 110.0, 1.0)])
    found = judgement(folded, "likes")
    assert (found.new, found.control) == (Side(1, 1), Side(99, 0))
    alone = Folded(running(plan_of(LIKES)))
    alone.take([*early, outcome("like", "a", 110.0, 1.0)])
    assert judgement(alone, "likes").e_safe == found.e_safe


def test_an_outcome_that_comes_too_late_is_no_event_and_takes_its_unit_out() -> None:
    folded = Folded(running(plan_of(LIKES)))
    folded.take([call("a", 1.0), call("b", 400.0), outcome("like", "a", 401.0, 1.0), call("a", 402.0)])
    assert judgement(folded, "likes").new == Side(2, 0)


def test_an_outcome_of_an_earlier_step_counts_in_none() -> None:
    folded = Folded(running(plan_of(LIKES), (0, 0.0), (1, 100.0)))
    folded.take([call("a", 99.0), call("b", 101.0, version=2), outcome("like", "a", 102.0, 99.0)])
    assert judgement(folded, "likes").new == Side(1, 0)
    assert ("a", "likes") in folded.known


def test_an_outcome_without_its_call_is_an_exposure_by_itself() -> None:
    folded = Folded(running(plan_of(LIKES)))
    folded.take([outcome("like", "a", 1.0, 1.0), call("b", 2.0, is_new=False)])
    assert judgement(folded, "likes").new == Side(1, 1)


def test_of_a_mean_each_units_first_value_in_a_step_counts() -> None:
    folded = Folded(running(plan_of(RATINGS), (0, 0.0), (1, 100.0)))
    ratings = [("a", 1.0, 1, 5.0), ("a", 2.0, 1, 1.0), ("a", 101.0, 2, 2.0), ("b", 102.0, 2, 4.0), ("c", 103.0, 1, 1.0)]
    folded.take(outcome("rating", unit, at, at, version=version, value=value) for unit, at, version, value in ratings)
    found = judgement(folded, "rating").new
    assert (found.exposures, found.mean) == (2, 3.0)


def test_agreement_is_of_both_sides_together() -> None:
    folded = Folded(running(plan_of({"agree": {"metric": "agreement", "absolute_min": 0.9}})))
    folded.take(
        [outcome("agreement", "a", 1.0, 1.0, value=1.0), outcome("agreement", "b", 1.0, 1.0, is_new=False, value=0.5)]
    )
    found = judgement(folded, "agree").new
    assert (found.exposures, found.mean) == (2, 0.75)


def test_cost_is_of_calls_that_say_what_they_cost() -> None:
    folded = Folded(running(plan_of({"cost": {"metric": "cost", "relative_max": 1.5}})))
    folded.take([call("a", cost=0.2), call("b"), call("c", cost=0.4)])
    assert judgement(folded, "cost").new.exposures == 2


def test_hits_are_of_calls_that_had_a_cache() -> None:
    folded = Folded(running(plan_of({"hits": {"metric": "cache_hit_rate", "relative_min": 0.9}})))
    folded.take([call("a", is_hit=True), call("b", is_hit=False), call("c")])
    assert judgement(folded, "hits").new == Side(2, 1)


def test_of_a_quantile_nothing_counts_before_the_controls_first_calls_have_fixed_it() -> None:
    gate = {"p95": {"metric": "latency_ms", "quantile": 0.95, "relative_max": 1.0, "absolute_max": 800}}
    folded = Folded(running(plan_of(gate, baseline_calls=100)))
    folded.take([call("n", value=900.0), *(call(f"{at}", is_new=False, value=100.0 + at) for at in range(100))])
    found = judgement(folded, "p95", after_s=20.0)
    assert found.threshold_ms == pytest.approx(194, rel=0.02)
    assert found.new.exposures == 0
    folded.take([call("n", 20.0, value=900.0), call("m", 20.0, value=150.0), call("c", 20.0, is_new=False)])
    assert judgement(folded, "p95").new == Side(2, 1)
    assert {("n", "p95"), ("n", "p95:absolute")} <= folded.known


def test_a_unit_is_assigned_once_with_the_share_of_its_step() -> None:
    folded = Folded(running(plan_of(), (0, 0.0), (1, 100.0)))
    folded.take([call("a", is_new=False), call("a", 101.0, version=2), call("b", 102.0, version=2)])
    found = judged(folded.closed(), folded.rollout).sample_ratio
    assert (found.new, found.control) == (Side(1), Side(1))
    assert folded.statistics.sample_ratio.share == 0.5


def test_a_split_that_is_not_as_it_should_be_is_found() -> None:
    folded = Folded(running(plan_of()))
    folded.take(call(f"{at}", at / 10, is_new=at % 2 == 0) for at in range(2000))
    assert judged(folded.closed(), folded.rollout).sample_ratio.verdict is Verdict.FAIL


def test_a_line_that_is_seen_before_the_open_tick_belongs_to_it() -> None:
    folded = Folded(running(plan_of()))
    folded.take([call("a", 15.0), call("b", 5.0)])
    assert judgement(folded, after_s=29.0).verdict is Verdict.NO_DATA
    assert judgement(folded, after_s=30.0).new == Side(2, 0)


def test_a_clock_that_is_far_ahead_does_not_keep_the_evidence_waiting() -> None:
    folded = Folded(running(plan_of()))
    folded.take([call("a", 86_400.0), call("b", 5.0)])
    assert judgement(folded, after_s=30.0).new == Side(2, 0)
    folded.take([call("c", 35.0)])
    assert judgement(folded, after_s=60.0).new == Side(3, 0)
    assert folded.statistics.recent(BEGAN + timedelta(seconds=40)) == Recent(1, 0)


def test_recent_are_calls_of_the_new_side_within_the_window() -> None:
    folded = Folded(running(plan_of(hard_limits={"error_window_s": 30})))
    folded.take(call(f"{at}", float(at), is_new=at % 2 == 0, is_error=at >= 90) for at in range(100))
    assert folded.statistics.recent(BEGAN + timedelta(seconds=99.5)) == Recent(15, 5)
    assert folded.statistics.recent(BEGAN + timedelta(seconds=1000)) == Recent(0, 0)


def test_the_chance_of_a_false_alarm_is_shared_by_all_limits_that_can_fail() -> None:
    gates: dict[str, Any] = ERRORS | {
        "p95": {"metric": "latency_ms", "quantile": 0.95, "relative_max": 1.0, "absolute_max": 800},
        "hits": {"metric": "cache_hit_rate", "absolute_min": 0.5, "dry_run": True},
        "unused": {"metric": "fallback_rate", "absolute_max": 0.05},
    }
    steps = [{"percentage": 50, "gates": ["p95", "hits"]}]
    assert limits_that_fail(plan_of(gates, steps=steps)) == 3


def test_a_dump_is_json_and_what_is_loaded_is_the_same() -> None:
    folded = Folded(running(plan_of(ERRORS | LIKES | RATINGS)))
    folded.take(
        [call("a", 1.0, is_error=True), call("b", 2.0, is_new=False), outcome("rating", "a", 30.0, 1.0, value=3.0)]
    )
    dumped = folded.statistics.dump()
    assert Statistics(folded.rollout.plan, json.loads(json.dumps(dumped))).dump() == dumped


def test_what_is_no_dump_is_refused() -> None:
    with pytest.raises(ValueError, match="seq"):
        Statistics(plan_of(), {"state": {"seq": "many"}, "gates": {}})
