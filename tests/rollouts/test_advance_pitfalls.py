"""What went wrong in other controllers, one test or more each.

- argo-rollouts N: https://github.com/argoproj/argo-rollouts/issues/N
- flagger N: https://github.com/fluxcd/flagger/issues/N
- kayenta N: https://github.com/spinnaker/kayenta/issues/N
"""

from math import nan
from typing import Any

import pytest
from pydantic import ValidationError

from rollouts import commands
from rollouts.advance import advance
from rollouts.evidence import Evidence, Judgement, Side, Verdict
from rollouts.model import RolloutState
from rollouts.moves import MoveKind
from rollouts.plan import Gate
from rollouts.refusals import Refusal
from tests.rollouts.driven import ANA, ERROR, FAIL, INCONCLUSIVE, NO_DATA, PASS, PLAN, Driven, plan_with, refused


def waiting_for_approval() -> Driven:
    it = Driven(plan_with(steps=[step | {"approval": True} for step in PLAN["steps"]])).start()
    it.look_later()
    assert it.state is RolloutState.WAITING_APPROVAL
    return it


def test_argo_3850_inconclusive_never_promotes_however_long_it_lasts() -> None:
    it = Driven(plan_with(steps=[step | {"max_s": None} for step in PLAN["steps"]])).start()
    for _ in range(200):
        it.look_later(INCONCLUSIVE)
    assert (it.state, it.percentage) == (RolloutState.HOLDING, 10)


def test_argo_3015_after_inconclusive_a_person_gets_it_going_again() -> None:
    it = Driven().start()
    it.wait(7200)
    it.look(INCONCLUSIVE)
    assert it.state is RolloutState.PAUSED
    it.tell(commands.resume, it.facts())
    it.look()
    assert (it.state, it.percentage) == (RolloutState.RUNNING, 50)


def test_argo_261_a_resumed_step_is_not_paused_again_at_once_for_the_time_it_took() -> None:
    it = Driven().start()
    it.wait(7200)
    it.look(INCONCLUSIVE)
    it.tell(commands.resume, it.facts())
    it.wait(7199)
    it.look(INCONCLUSIVE)
    assert it.state is RolloutState.HOLDING
    it.wait(1)
    it.look(INCONCLUSIVE)
    assert it.state is RolloutState.PAUSED, "it is given as long again, and no longer"


def test_argo_261_a_failure_that_a_person_accepted_pauses_no_second_time() -> None:
    it = Driven(plan_with(on_fail="pause")).start()
    it.look({"errors": FAIL})
    it.tell(commands.advance, it.facts())
    assert (it.state, it.percentage) == (RolloutState.RUNNING, 50)
    for _ in range(3):
        it.look({"errors": FAIL})
        assert it.state is not RolloutState.PAUSED


def test_argo_2866_a_failure_may_pause_in_place_of_rolling_back() -> None:
    it = Driven(plan_with(on_fail="pause")).to_step(1)
    it.look({"errors": FAIL})
    assert (it.state, it.percentage, it.rollout.ended_at) == (RolloutState.PAUSED, 50, None)


def test_argo_2897_what_failed_is_not_tried_again_but_started_anew() -> None:
    it = Driven().start()
    it.look({"errors": FAIL})
    over = it.rollout
    for answer in (
        commands.start(over, ANA, it.ground()),
        commands.resume(over, ANA, it.facts()),
        commands.advance(over, ANA, it.facts()),
    ):
        assert refused(answer) == Refusal.ENDED
    again = Driven(flag=it.flag)
    again.now = over.cool_until or again.now
    again.start(over)
    assert (again.state, again.percentage, len(again.rollout.stages)) == (RolloutState.RUNNING, 10, 1)


def test_argo_1411_a_failure_ends_the_step_and_all_that_come_after() -> None:
    it = Driven().to_step(1)
    it.look_later({"p95": FAIL})
    for _ in range(5):
        it.look_later()
    assert (it.state, it.percentage) == (RolloutState.ROLLED_BACK, 0)


@pytest.mark.parametrize("verdict", [PASS, INCONCLUSIVE, NO_DATA])
def test_argo_1107_and_926_looking_again_begins_nothing_anew(verdict: Verdict) -> None:
    it = Driven().start()
    it.wait(30)
    it.look(verdict)
    looked_once = it.rollout
    for _ in range(100):
        it.look(verdict)
    assert it.rollout is looked_once
    assert len(it.rollout.stages) == 1


def test_argo_222_a_failure_acts_at_the_look_that_shows_it_not_when_the_step_ends() -> None:
    it = Driven().start()
    it.wait(1)
    it.look({"errors": FAIL})
    assert it.state is RolloutState.ROLLED_BACK


def test_argo_303_a_gate_may_only_inform() -> None:
    it = Driven().start()
    for verdict in (FAIL, ERROR, INCONCLUSIVE, NO_DATA):
        it.look({"tried": verdict}, errors_in_a_row=9)
        assert it.state is RolloutState.RUNNING
    it.look_later({"tried": FAIL})
    assert it.percentage == 50


def test_argo_3503_no_bad_events_among_many_exposures_are_a_result() -> None:
    it = Driven().start()
    it.wait(600)
    clean = Judgement(PASS, new=Side(5000, 0), control=Side(45_000, 0))
    move = advance(it.rollout, Evidence(it.facts(), {"errors": clean, "p95": clean}, 5000, is_fresh=True), it.now)
    assert move.kind is MoveKind.ADVANCE


def test_argo_1945_a_pause_without_traffic_neither_fails_nor_passes() -> None:
    it = Driven().start()
    it.tell(commands.pause)
    for _ in range(20):
        it.look_later(NO_DATA, units=0)
    assert (it.state, it.percentage) == (RolloutState.PAUSED, 10)


def test_argo_2087_a_rollback_says_by_name_which_gates_made_it() -> None:
    it = Driven().start()
    move = it.look({"errors": FAIL, "p95": FAIL})
    assert (move.kind, move.failing, it.rollout.failing) == (MoveKind.ROLL_BACK, ("errors", "p95"), ("errors", "p95"))
    assert it.rollout.why == "errors, p95 failed at step 1 (10 %)"


def test_argo_872_a_plan_that_lacks_something_is_refused_before_it_starts() -> None:
    steps = [PLAN["steps"][0] | {"gates": ["errors", "memory"]}, *PLAN["steps"][1:]]
    with pytest.raises(ValidationError, match='there is no gate "memory"'):
        plan_with(steps=steps)


@pytest.mark.parametrize("percentages", [(10, 50, 80), (10, 50, 95), (50, 10, 90), (10, 10, 90)])
def test_flagger_189_steps_that_do_not_reach_the_end_are_refused(percentages: tuple[float, ...]) -> None:
    steps = [step | {"percentage": each} for step, each in zip(PLAN["steps"], percentages, strict=True)]
    with pytest.raises(ValidationError, match="steps: "):
        plan_with(steps=steps)


def test_flagger_189_completed_means_that_the_last_share_is_in_force() -> None:
    it = Driven(plan_with(bake_s=0)).to_step(2)
    it.look_later()
    assert (it.state, it.percentage) == (RolloutState.COMPLETED, 90)


@pytest.mark.parametrize("issue", [1035, 883, 1689, 1633, 1330])
def test_flagger_no_traffic_holds_and_then_asks_a_person_and_fails_nothing(issue: int) -> None:
    it = Driven().to_step(1)
    it.look_later(NO_DATA, units=0)
    assert (it.state, it.percentage) == (RolloutState.HOLDING, 50), issue
    it.wait(7200)
    it.look(NO_DATA, units=0)
    assert (it.state, it.percentage) == (RolloutState.PAUSED, 50), issue


def test_flagger_1011_traffic_that_stops_lets_no_step_pass() -> None:
    it = Driven().start()
    it.look_later()
    assert it.percentage == 50
    for _ in range(5):
        it.look_later(NO_DATA, units=0)
    assert it.percentage == 50, "what passed at the step before counts for that one only"


@pytest.mark.parametrize("bad", [{"verdicts": {"errors": FAIL}}, {"breaker_open_s": 60.0}])
def test_flagger_1801_it_rolls_back_while_it_waits_for_a_person(bad: dict[str, Any]) -> None:
    it = waiting_for_approval()
    it.look(**bad)
    assert (it.state, it.percentage) == (RolloutState.ROLLED_BACK, 0)


def test_flagger_1501_gaps_in_the_traffic_do_not_add_up_to_a_failure() -> None:
    it = Driven().start()
    for verdict in (NO_DATA, INCONCLUSIVE, ERROR) * 3:
        it.look_later(verdict, errors_in_a_row=1)
        assert it.percentage == 10
    it.look_later()
    assert it.percentage == 50


def test_flagger_739_a_limit_may_be_relative_to_the_control() -> None:
    gate = Gate(metric="error_rate", relative_max=1.2)
    assert (gate.relative, gate.absolute) == (1.2, None)


def test_flagger_1694_it_can_go_back_step_by_step() -> None:
    it = Driven().to_step(2)
    shares = [it.percentage]
    for _ in range(2):
        it.tell(commands.step_back, it.facts())
        shares.append(it.percentage)
    assert shares == [90, 50, 10]


def test_kayenta_426_sparse_errors_that_show_nothing_pass_nothing() -> None:
    it = Driven().start()
    it.wait(600)
    sparse = Judgement(INCONCLUSIVE, new=Side(100, 2), control=Side(900, 1), ratio=18.0)
    judgements = {"errors": sparse, "p95": Judgement(PASS)}
    assert advance(it.rollout, Evidence(it.facts(), judgements, 1000, is_fresh=True), it.now).kind is MoveKind.HOLD


def test_kayenta_799_errors_fail_although_the_control_has_none_to_compare_with() -> None:
    it = Driven().start()
    failed = Judgement(FAIL, new=Side(1000, 50), control=Side(9000, 0), ratio=None)
    move = advance(it.rollout, Evidence(it.facts(), {"errors": failed}, 1000, is_fresh=True), it.now)
    assert move.kind is MoveKind.ROLL_BACK


@pytest.mark.parametrize("field", ["relative_max", "absolute_max", "margin"])
def test_kayenta_377_what_is_no_number_is_no_limit(field: str) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        Gate.model_validate({"metric": "latency_ms", "relative_max": 1.2, field: nan})


def test_kayenta_377_a_value_that_is_no_number_decides_nothing() -> None:
    it = Driven().start()
    it.wait(600)
    odd = Judgement(NO_DATA, new=Side(100, 0, nan), ratio=nan, e_safe=nan, e_harm=nan)
    judgements = {"errors": odd, "p95": Judgement(PASS)}
    assert advance(it.rollout, Evidence(it.facts(), judgements, 1000, is_fresh=True), it.now).kind is MoveKind.HOLD


def test_kayenta_633_one_gate_that_fails_is_not_outvoted_by_those_that_pass() -> None:
    gates = {f"gate{at}": {"metric": "error_rate", "relative_max": 1.2} for at in range(20)}
    plan = plan_with(gates=gates, guardrails=["gate0"], steps=[step | {"gates": list(gates)} for step in PLAN["steps"]])
    it = Driven(plan).start()
    it.look_later({"gate19": FAIL})
    assert it.state is RolloutState.ROLLED_BACK


def test_a_clock_that_was_set_back_begins_no_step_before_the_one_it_follows() -> None:
    it = Driven().to_step(1)
    it.wait(-7200)
    it.tell(commands.advance, it.facts())
    began = [stage.began_at for stage in it.rollout.stages]
    assert began == sorted({*began})
    assert len(began) == 3
