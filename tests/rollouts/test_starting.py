"""What a start checks and freezes, and how cohorts stand in a flag and leave it."""

from datetime import timedelta
from typing import Any

import pytest

from flags.evaluate import evaluate
from flags.model import Flag
from flags.names import Reason
from flags.percentage import rolled_out
from flags.raising import raises
from flags.ruleset import Ruleset
from rollouts import commands
from rollouts.cohorts import applied, withdrawn
from rollouts.model import Rollout, RolloutState
from rollouts.refusals import Refusal, Refused
from rollouts.starting import Ground, weight_in_force
from tests.rollouts.driven import ANA, BEGIN, FLAG, Driven, answered, draft, plan_with, refused


def flag_with(**changes: Any) -> Flag:
    return Flag.model_validate(FLAG | changes)


def split_of(**weights: int) -> dict[str, Any]:
    return {"split": [{"variant": name, "weight": weight} for name, weight in weights.items()]}


THIRD = {"new": 1, "legacy": 2, "third": 3}


def test_a_start_resolves_the_sides_and_puts_the_first_step_in_force() -> None:
    it = Driven().start()
    rollout = it.rollout
    assert (rollout.variant, rollout.control, rollout.unit) == ("new", "legacy", "targetingKey")
    assert (rollout.state, rollout.started_at, it.percentage) == (RolloutState.RUNNING, BEGIN, 10)
    assert [(stage.flag_version, stage.step, stage.weight) for stage in rollout.stages] == [(2, 0, 10_000)]


def test_a_cohorts_callers_are_named_by_any_attribute_that_the_default_is_split_by() -> None:
    flag = flag_with(default=split_of(new=0, legacy=100_000) | {"by": ["tenant", "session"]})
    plan = plan_with(unit="tenant", cohorts=[{"name": "first", "keys": ["acme"]}])
    ruleset = Ruleset.of([applied(flag, plan, "new", 0)])
    contexts = [{attribute: "acme"} for attribute in ("tenant", "session", "targetingKey")]
    reasons = [evaluate(ruleset, flag.key, context, 0).reason for context in contexts]
    assert reasons == [Reason.RULE_MATCH, Reason.RULE_MATCH, Reason.TARGETING_KEY_MISSING]


def test_a_flag_that_is_as_the_first_step_wants_it_is_not_written() -> None:
    it = Driven(plan_with(cohorts=[]))
    it.set_by_hand(10)
    it.start()
    assert (it.flag.version, it.rollout.stages[0].flag_version) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"flag": None}, Refusal.UNKNOWN_FLAG),
        ({"route_flag": None}, Refusal.UNKNOWN_ROUTE),
        ({"route_flag": "other"}, Refusal.FLAG_NOT_OF_ROUTE),
        ({"killed": True}, Refusal.KILLED),
        ({"flag": flag_with(enabled=False)}, Refusal.FLAG_DISABLED),
        ({"flag": flag_with(variants=THIRD, default=split_of(new=0, legacy=99_000, third=1000))}, Refusal.UNFIT_FLAG),
        ({"flag": flag_with(variants=THIRD, default={"variant": "third"})}, Refusal.UNFIT_FLAG),
        ({"flag": flag_with(off_variant="new")}, Refusal.UNFIT_VARIANT),
        ({"backends": ("legacy", "newer")}, Refusal.UNFIT_VARIANT),
        ({"flag": flag_with(bucket_by="tenant")}, Refusal.OTHER_UNIT),
        ({"flag": flag_with(default=split_of(new=0, legacy=100_000) | {"by": ["tenant"]})}, Refusal.OTHER_UNIT),
        ({"flag": flag_with(default=split_of(new=10_001, legacy=89_999))}, Refusal.SHARE_ABOVE_FIRST_STEP),
        ({"flag": flag_with(default={"variant": "new"})}, Refusal.SHARE_ABOVE_FIRST_STEP),
    ],
    ids=lambda value: value.value if isinstance(value, Refusal) else "",
)
def test_a_start_on_wrong_ground_is_refused_with_what_to_do(changes: dict[str, Any], reason: Refusal) -> None:
    it = Driven(plan_with(variant="new", unit="targetingKey"))
    ground = it.ground()._replace(**changes)
    answer = commands.start(it.rollout, ANA, ground)
    assert refused(answer) == reason
    assert isinstance(answer, Refused)
    assert len(answer.told) > 20


def test_a_third_variant_that_would_get_some_of_the_rest_is_refused() -> None:
    shares = [
        {"variant": "new", "weight": 0},
        {"variant": "legacy", "weight": 100_000, "rest_weight": 100_000},
        {"variant": "third", "weight": 0, "rest_weight": 1},
    ]
    it = Driven(flag=flag_with(variants=THIRD, default={"split": shares}))
    assert refused(commands.start(it.rollout, ANA, it.ground())) == Refusal.UNFIT_FLAG


def test_a_split_whose_first_is_the_control_has_no_share_in_force() -> None:
    it = Driven().start()
    turned = flag_with(default=split_of(legacy=90_000, new=10_000))
    assert weight_in_force(turned, it.rollout) is None
    assert weight_in_force(it.flag, it.rollout) == 10_000


def test_a_rule_that_splits_is_refused_for_its_callers_could_not_be_told_apart() -> None:
    rule = {"name": "half", "when": {"attribute": "a", "op": "exists"}, "serve": split_of(new=50_000, legacy=50_000)}
    it = Driven(flag=flag_with(rules=[rule]))
    assert refused(commands.start(it.rollout, ANA, it.ground())) == Refusal.UNFIT_FLAG


def test_a_variant_that_the_flag_does_not_have_is_refused() -> None:
    it = Driven(plan_with(variant="newest"))
    assert refused(commands.start(it.rollout, ANA, it.ground())) == Refusal.UNFIT_VARIANT


def test_a_flag_with_too_many_rules_for_the_cohorts_is_refused() -> None:
    rules = [
        {"name": str(at), "when": {"attribute": "a", "op": "eq", "value": at}, "serve": {"variant": "legacy"}}
        for at in range(256)
    ]
    it = Driven(flag=flag_with(rules=rules))
    assert refused(commands.start(it.rollout, ANA, it.ground())) == Refusal.UNFIT_FLAG


def test_a_dry_run_wants_a_split_that_it_will_not_make() -> None:
    it = Driven(plan_with(dry_run=True), flag_with(default={"variant": "legacy"}))
    assert refused(commands.start(it.rollout, ANA, it.ground())) == Refusal.UNFIT_FLAG


@pytest.mark.parametrize("shared", [{"flag": "other"}, {"route": "other"}], ids=["the route", "the flag"])
def test_another_active_rollout_of_the_flag_or_the_route_is_in_the_way(shared: dict[str, Any]) -> None:
    it, other = Driven(), draft(plan_with(name="other", **shared))
    running = other.model_copy(update={"state": RolloutState.PAUSED})
    assert refused(commands.start(it.rollout, ANA, it.ground(running))) == Refusal.BUSY
    assert not isinstance(commands.start(it.rollout, ANA, it.ground(other)), Refused)


def test_after_a_rollback_the_flag_cools_down() -> None:
    it, again = Driven().start(), Driven()
    it.tell(commands.roll_back)
    cooling: Rollout = it.rollout
    assert refused(commands.start(again.rollout, ANA, again.ground(cooling))) == Refusal.COOLING_DOWN
    later: Ground = again.ground(cooling)._replace(now=BEGIN + timedelta(seconds=3600))
    answered(commands.start(again.rollout, ANA, later))


def given(flag: Flag, **attributes: Any) -> tuple[str, Reason]:
    decision = evaluate(Ruleset.of([flag]), flag.key, attributes, 0.0)
    return decision.variant, decision.reason


def test_cohorts_get_the_new_side_before_the_other_rules_and_not_by_chance() -> None:
    cohorts = [
        {"name": "named", "keys": ["u1", "17"]},
        {"name": "power", "when": {"attribute": "engagement", "op": "gt", "value": 0.8}},
    ]
    flag = applied(flag_with(), plan_with(cohorts=cohorts), "new", 0)
    assert [rule.name for rule in flag.rules] == ["rollout search/named", "rollout search/power", "staff"]
    for attributes in ({"targetingKey": "u1"}, {"targetingKey": 17}, {"targetingKey": "x", "engagement": 0.9}):
        assert given(flag, staff=True, **attributes) == ("new", Reason.RULE_MATCH)
    assert given(flag, targetingKey="u2") == ("legacy", Reason.SPLIT)


def test_withdrawing_takes_out_exactly_the_cohorts() -> None:
    before = flag_with(default=split_of(new=0, legacy=100_000))
    plan = plan_with(cohorts=[{"name": "named", "keys": ["u1"]}])
    during = applied(before, plan, "new", 50)
    assert applied(during, plan, "new", 50) == during
    assert withdrawn(during, plan, "new") == before


def test_cohorts_of_an_aborted_rollout_leave_with_the_next_ones_rollback() -> None:
    it = Driven().start()
    it.tell(commands.abort)
    again = Driven(plan_with(cohorts=[]), rolled_out(it.flag, 5, "new")).start()
    again.tell(commands.roll_back)
    assert again.cohorts() == []


def test_withdrawing_is_no_raise_so_a_killed_flag_can_be_rolled_back() -> None:
    it = Driven().start()
    assert not raises(it.flag, withdrawn(it.flag, it.rollout.plan, "new"), 0.0)


def test_a_variant_that_is_gone_has_no_share_to_take_away() -> None:
    flag = flag_with(variants={"newer": True, "legacy": False})
    assert withdrawn(flag, plan_with(), "new") == flag
