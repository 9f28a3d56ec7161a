import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from rollouts.evidence import Verdict
from rollouts.model import RolloutState
from rollouts.moves import MoveKind
from rollouts.plan import Plan
from rollouts.rehearse import Happening, Rehearsal
from rollouts.scenario import Scenario
from rollouts.seen import Seen
from rollouts.traffic import Invented, Replayed, Standing, Stored
from tests.rollouts.lines import START_S, call, outcome, plan_of

LIMITS: dict[str, Any] = {
    "errors": {"metric": "error_rate", "relative_max": 1.2},
    "p95": {"metric": "latency_ms", "quantile": 0.95, "relative_max": 1.1},
}


def quick(**changes: Any) -> Plan:
    steps = [{"percentage": share, "min_s": 600, "max_s": 3600, "gates": [*LIMITS]} for share in (25, 50)]
    return plan_of(LIMITS, steps=steps, warm_up_s=60, bake_s=600, **changes)


def rehearsed(plan: Plan, **scenario: Any) -> Sequence[Happening]:
    played = Scenario.model_validate(
        {"duration_s": 20_000, "calls_per_s": 20, "control": {"error_rate": 0.02}} | scenario
    )
    rehearsal = Rehearsal(
        plan, Invented(played, plan, random.Random(played.seed)), played.starts_at, played.approve_after_s
    )
    return [happening for happening in rehearsal.happenings(played.duration_s) if happening is not None]


def test_a_side_as_good_as_the_control_goes_through_all_steps_to_the_end() -> None:
    found = rehearsed(quick(), new={"error_rate": 0.02})
    assert [each.kind for each in found] == [MoveKind.PROMOTE, MoveKind.BAKE, MoveKind.COMPLETE]
    assert [each.percentage for each in found] == [25, 50, 50]
    assert found[-1].state is RolloutState.COMPLETED
    assert {judgement.verdict for judgement in found[0].judgements.values()} == {Verdict.PASS}
    assert all(after.at_s >= before.at_s + 600 for before, after in pairwise(found))


def test_three_times_the_errors_are_rolled_back_at_the_first_step() -> None:
    [found] = rehearsed(quick(), new={"error_rate": 0.06})
    assert (found.kind, found.step) == (MoveKind.ROLL_BACK, 0)
    assert found.judgements["errors"].verdict is Verdict.FAIL


def test_forty_percent_more_time_is_rolled_back_on_p95() -> None:
    [found] = rehearsed(quick(), new={"error_rate": 0.02, "latency_ms": 168})
    assert (found.kind, found.step, found.why) == (MoveKind.ROLL_BACK, 0, "p95 failed at step 1 (25 %)")


def test_without_traffic_it_holds_until_a_person_is_asked() -> None:
    [found] = rehearsed(quick(), calls_per_s=0)
    assert (found.kind, found.at_s, found.calls) == (MoveKind.PAUSE, 3600, 0)
    assert found.judgements["errors"].verdict is Verdict.NO_DATA


def test_a_scenario_that_is_over_before_the_rollout_tells_where_that_stands() -> None:
    [found] = rehearsed(quick(), calls_per_s=0, duration_s=1800)
    assert (found.kind, found.at_s, found.state) == (None, 1800, RolloutState.HOLDING)


def test_when_nearly_every_call_fails_nobody_waits_for_statistics() -> None:
    [found] = rehearsed(quick(), new={"error_rate": 0.9})
    assert (found.kind, found.at_s <= 40) == (MoveKind.ROLL_BACK, True)


def test_a_change_may_come_with_a_time_or_with_a_percentage() -> None:
    later = rehearsed(quick(), new={"error_rate": 0.02}, changes=[{"from_s": 300, "new": {"error_rate": 0.9}}])
    assert [(each.kind, 300 < each.at_s <= 360) for each in later] == [(MoveKind.ROLL_BACK, True)]
    higher = rehearsed(quick(), new={"error_rate": 0.02}, changes=[{"from_percentage": 50, "new": {"error_rate": 0.9}}])
    assert [(each.kind, each.percentage) for each in higher] == [(MoveKind.PROMOTE, 25), (MoveKind.ROLL_BACK, 50)]


def test_a_person_approves_after_a_while_or_never() -> None:
    steps = [{"percentage": share, "min_s": 60, "approval": share == 25} for share in (25, 50)]
    plan = plan_of(LIMITS, steps=steps, bake_s=0)
    found = rehearsed(plan, calls_per_s=0, approve_after_s=500)
    assert [each.kind for each in found[:2]] == [MoveKind.WAIT_APPROVAL, MoveKind.APPROVE]
    assert 500 <= found[1].at_s - found[0].at_s <= 530
    assert found[-1].state is RolloutState.COMPLETED
    never = rehearsed(plan, calls_per_s=0, approve_after_s=None)
    assert never[-1].state is RolloutState.WAITING_APPROVAL


def test_the_same_seed_plays_the_same_and_another_does_not() -> None:
    assert rehearsed(quick(), duration_s=600) == rehearsed(quick(), duration_s=600)
    assert rehearsed(quick(), duration_s=600) != rehearsed(quick(), duration_s=600, seed=2)


def test_the_plan_of_a_dry_run_is_rehearsed_as_if_it_were_none() -> None:
    assert rehearsed(quick(dry_run=True), duration_s=700) == rehearsed(quick(), duration_s=700)


def test_traffic_follows_the_curve_of_the_day() -> None:
    daily = [0.0] * 12 + [1.0] * 12
    scenario = Scenario.model_validate({"daily": daily, "calls_per_s": 10})
    traffic = Invented(scenario, quick(), random.Random(1))
    standing = Standing(1, 25_000, 25.0)
    assert traffic.between(0, 3600, standing) == []
    assert len(traffic.between(12 * 3600, 13 * 3600, standing)) == pytest.approx(36_000, rel=0.05)


def test_users_come_and_go_and_keep_their_side_while_they_are_there() -> None:
    scenario = Scenario.model_validate({"users": 100, "calls_per_user": 10, "calls_per_s": 100})
    lines = Invented(scenario, quick(), random.Random(1)).between(0, 100, Standing(1, 25_000, 25.0))
    sides: dict[str, set[bool]] = {}
    for line in lines:
        sides.setdefault(line.unit, set()).add(line.is_new)
    assert all(len(each) == 1 for each in sides.values())
    assert len(lines) / len(sides) == pytest.approx(10, rel=0.3)
    assert sum(line.is_new for line in lines) / len(lines) == pytest.approx(0.25, abs=0.05)


def test_outcomes_are_drawn_only_of_what_a_gate_looks_at() -> None:
    sides = {"control": {"outcomes": {"like": {"rate": 0.5, "after_s": 0}, "share": {"rate": 1.0}}}}
    plan = plan_of({"likes": {"metric": "outcome:like", "relative_min": 0.9}})
    traffic = Invented(Scenario.model_validate(sides), plan, random.Random(1))
    kinds = [line.kind for line in traffic.between(0, 100, Standing(1, 0, 0))]
    assert {*kinds} == {"call", "like"}
    assert kinds.count("like") == pytest.approx(kinds.count("call") / 2, rel=0.2)


def stored(count: int, **seen: Any) -> list[Stored]:
    return [Stored(float(at), call(f"u{at % 50}", at, is_new=at % 2 == 0, **seen)) for at in range(count)]


def test_stored_calls_are_played_by_their_time_with_the_side_that_the_plan_gives() -> None:
    replayed = Replayed(stored(100), START_S, quick(), random.Random(1))
    none, everybody = Standing(3, 0, 0), Standing(4, 100_000, 100)
    first = replayed.between(0, 50, none)
    assert [line.seen_at - START_S for line in first] == list(range(50))
    assert {(line.is_new, line.flag_version) for line in first} == {(False, 3)}
    assert {(line.is_new, line.flag_version) for line in replayed.between(50, 60, everybody)} == {(True, 4)}


def test_what_happened_is_drawn_from_stored_calls_of_the_side() -> None:
    calls = [each._replace(call=each.call._replace(value=1.0 if each.call.is_new else 2.0)) for each in stored(100)]
    lines = Replayed(calls, START_S, quick(), random.Random(1)).between(0, 100, Standing(1, 50_000, 50))
    assert {(line.is_new, line.value) for line in lines} == {(True, 1.0), (False, 2.0)}


def test_stored_calls_begin_again_when_they_are_over() -> None:
    replayed = Replayed(stored(10), START_S, quick(), random.Random(1))
    assert len(replayed.between(0, 100, Standing(1, 0, 0))) == pytest.approx(100, abs=5)


def test_outcomes_of_a_stored_call_come_as_late_as_they_came() -> None:
    likes: tuple[Seen, ...] = (outcome("like", "u0", 30.0, 0.0),)
    calls = [each._replace(outcomes=likes if each.at_s == 0 else ()) for each in stored(10)]
    calls[0] = calls[0]._replace(call=calls[0].call._replace(is_new=False))
    replayed = Replayed(calls, START_S + 5, quick(), random.Random(1))
    lines = replayed.between(0, 1, Standing(1, 0, 0))
    assert [line.kind for line in lines] == ["call"]
    later = [line for line in replayed.between(1, 31, Standing(2, 0, 0)) if line.kind == "like"]
    assert [(line.decided_at, line.seen_at, line.flag_version) for line in later][:1] == [
        (START_S + 5, START_S + 35, 1)
    ]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"changes": [{"new": {"error_rate": 0.1}}]}, 'exactly one of "from_s" and "from_percentage"'),
        ({"changes": [{"from_s": 1, "new": {"errors": 0.1}}]}, r"changes\.0\.new\.errors"),
        ({"changes": [{"from_s": 1, "control": {"error_rate": 2}}]}, r"changes\.0\.control\.error_rate"),
        ({"daily": [1.0]}, "24"),
        ({"speed": 3}, "speed"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_refused_with_its_place(document: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Scenario.model_validate(document)
