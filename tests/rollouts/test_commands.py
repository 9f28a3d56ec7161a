"""What persons tell a rollout: done once, done twice, and refused."""

from collections.abc import Callable

import pytest

from rollouts import commands
from rollouts.commands import Answer, Order
from rollouts.model import FINAL, RolloutState
from rollouts.moves import MoveKind
from rollouts.refusals import Refusal, Refused
from tests.rollouts.driven import ANA, FAIL, PLAN, Driven, plan_with, refused


def ended(it: Driven) -> Driven:
    it.start()
    it.tell(commands.abort)
    return it


def completed() -> Driven:
    it = Driven().to_step(2)
    it.look_later()
    it.wait(3600)
    it.look()
    assert it.state is RolloutState.COMPLETED
    return it


def rolled_back() -> Driven:
    it = Driven().start()
    it.tell(commands.roll_back)
    return it


ENDS = {"completed": completed, "rolled_back": rolled_back, "aborted": lambda: ended(Driven())}
ORDERS: dict[str, Callable[[Driven], Answer]] = {
    "start": lambda it: commands.start(it.rollout, ANA, it.ground()),
    "pause": lambda it: commands.pause(it.rollout, ANA),
    "resume": lambda it: commands.resume(it.rollout, ANA, it.facts()),
    "advance": lambda it: commands.advance(it.rollout, ANA, it.facts()),
    "approve": lambda it: commands.approve(it.rollout, ANA),
    "step_back": lambda it: commands.step_back(it.rollout, ANA, it.facts()),
    "roll_back": lambda it: commands.roll_back(it.rollout, ANA),
    "abort": lambda it: commands.abort(it.rollout, ANA),
}
ALREADY_SO = {("completed", "advance"), ("rolled_back", "roll_back"), ("aborted", "abort")}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("order", ORDERS)
def test_what_is_over_stays_over_and_says_so(end: str, order: str) -> None:
    it = ENDS[end]()
    before, answer = it.rollout, ORDERS[order](it)
    if (end, order) in ALREADY_SO:
        assert not isinstance(answer, Refused)
        it.make(answer)
        assert it.rollout is before
    else:
        assert isinstance(answer, Refused)
        advice = "set the percentage to 0, or kill the flag" if order == "roll_back" else "start a new one"
        assert (answer.reason, advice in answer.told) == (Refusal.ENDED, True)
    assert it.state in FINAL


@pytest.mark.parametrize("order", ["start", "pause", "resume", "roll_back", "abort"])
def test_an_order_given_twice_changes_nothing_the_second_time(order: str) -> None:
    it = Driven() if order == "start" else Driven().start()
    if order == "resume":
        it.tell(commands.pause)
    for attempt in (1, 2):
        before = it.rollout, it.flag
        answer = ORDERS[order](it)
        assert not isinstance(answer, Refused)
        it.wait(10)
        it.make(answer)
        assert ((it.rollout, it.flag) == before) is (attempt == 2)


@pytest.mark.parametrize("order", sorted({*ORDERS} - {"start", "abort"}))
def test_a_draft_has_to_be_started_first(order: str) -> None:
    assert refused(ORDERS[order](Driven())) == Refusal.NOT_STARTED


def test_a_draft_can_be_aborted() -> None:
    it = Driven()
    it.tell(commands.abort)
    assert (it.state, it.flag.version) == (RolloutState.ABORTED, 1)


@pytest.mark.parametrize("order", sorted({*ORDERS} - {"start", "roll_back"}))
def test_a_rollback_under_way_is_not_interrupted(order: str) -> None:
    it = Driven().start()
    it.rollout = it.rollout.model_copy(update={"state": RolloutState.ROLLING_BACK})
    assert refused(ORDERS[order](it)) == Refusal.ROLLING_BACK


def test_an_order_is_kept_with_its_giver_and_reason() -> None:
    it = Driven().start()
    it.make(commands.pause(it.rollout, Order("ana", "night shift")))
    assert it.rollout.why == "ana paused it: night shift"


def test_a_person_may_go_to_the_next_step_whatever_the_gates_say() -> None:
    it = Driven().start()
    it.tell(commands.advance, it.facts())
    assert (it.rollout.step, it.percentage, it.state) == (1, 50, RolloutState.RUNNING)
    assert it.rollout.stages[-1].flag_version == it.flag.version


def test_a_second_click_on_advance_does_not_skip_a_step() -> None:
    it = Driven().start()
    for _ in range(2):
        it.tell(commands.advance, it.facts(), 1)
    assert it.rollout.step == 1
    assert refused(commands.advance(it.rollout, ANA, it.facts(), 3)) == Refusal.NO_SUCH_STEP


def test_a_second_click_past_the_last_step_does_not_end_the_bake() -> None:
    it = Driven().to_step(2)
    for _ in range(2):
        it.tell(commands.advance, it.facts(), 3)
    assert it.state is RolloutState.BAKING
    it.tell(commands.advance, it.facts(), 4)
    assert it.state is RolloutState.COMPLETED


def test_giving_a_hold_more_time_accepts_no_failure() -> None:
    it = Driven(plan_with(on_fail="hold")).start()
    it.wait(7200)
    it.look({"errors": FAIL})
    assert (it.state, it.rollout.failing) == (RolloutState.PAUSED, ("errors",))
    it.tell(commands.resume, it.facts())
    it.look({"errors": FAIL})
    assert (it.state, it.rollout.overruled) == (RolloutState.HOLDING, ())
    it.tell(commands.advance, it.facts())
    it.look({"errors": FAIL})
    assert (it.state, it.percentage, it.rollout.overruled) == (RolloutState.RUNNING, 50, ("errors",))


def test_advancing_past_the_last_step_bakes_and_then_ends() -> None:
    it = Driven().to_step(2)
    it.tell(commands.advance, it.facts())
    assert (it.state, it.percentage) == (RolloutState.BAKING, 90)
    it.tell(commands.advance, it.facts())
    assert it.state is RolloutState.COMPLETED


def test_a_pause_in_the_bake_is_resumed_into_the_bake() -> None:
    it = Driven().to_step(2)
    it.look_later()
    it.tell(commands.pause)
    it.tell(commands.resume, it.facts())
    assert it.state is RolloutState.BAKING


def test_approving_before_it_is_asked_for_is_refused() -> None:
    it = Driven(plan_with(steps=[step | {"approval": True} for step in PLAN["steps"]])).start()
    assert refused(commands.approve(it.rollout, ANA)) == Refusal.NOT_ASKED
    it.look_later()
    it.tell(commands.approve)
    approved = it.rollout
    it.tell(commands.approve)
    assert it.rollout is approved


def test_a_step_back_lowers_the_share_and_judges_the_step_anew() -> None:
    it = Driven().to_step(1)
    it.tell(commands.step_back, it.facts())
    assert (it.rollout.step, it.percentage, it.rollout.step_since) == (0, 10, it.now)
    assert it.look().kind is MoveKind.HOLD
    assert refused(commands.step_back(it.rollout, ANA, it.facts())) == Refusal.NO_SUCH_STEP


def test_a_step_back_ends_the_bake() -> None:
    it = Driven().to_step(2)
    it.look_later()
    it.tell(commands.step_back, it.facts())
    assert (it.state, it.percentage, it.rollout.baking_since) == (RolloutState.RUNNING, 50, None)


def test_a_second_click_on_step_back_goes_no_further() -> None:
    it = Driven().to_step(2)
    for _ in range(2):
        it.tell(commands.step_back, it.facts(), 1)
    assert it.rollout.step == 1


def test_a_paused_rollout_that_is_stepped_back_stays_paused() -> None:
    it = Driven().to_step(1)
    it.tell(commands.pause)
    it.tell(commands.step_back, it.facts())
    assert (it.state, it.percentage) == (RolloutState.PAUSED, 10)


def test_a_failure_is_still_there_to_be_accepted_after_a_step_back() -> None:
    it = Driven(plan_with(on_fail="pause")).to_step(1)
    it.look({"errors": FAIL})
    it.tell(commands.step_back, it.facts())
    it.tell(commands.resume, it.facts())
    it.look({"errors": FAIL})
    assert (it.state, it.rollout.overruled) == (RolloutState.RUNNING, ("errors",))


def test_a_rollback_sets_nothing_and_an_abort_leaves_what_there_is() -> None:
    back, left = Driven().to_step(1), Driven().to_step(1)
    back.tell(commands.roll_back)
    left.tell(commands.abort)
    assert (back.percentage, back.cohorts()) == (0, [])
    assert (left.percentage, left.cohorts()) == (50, ["rollout search/power"])
    assert back.rollout.ended_at == left.rollout.ended_at == back.now


@pytest.mark.parametrize(("percentage", "step"), [(10, 0), (50, 1), (90, 2)])
def test_a_resume_after_a_share_set_by_hand_goes_on_at_the_step_with_that_share(percentage: float, step: int) -> None:
    it = Driven().to_step(1)
    it.set_by_hand(30)
    it.look()
    it.set_by_hand(percentage)
    it.look()
    it.wait(100)
    it.tell(commands.resume, it.facts())
    assert (it.state, it.rollout.step, it.percentage) == (RolloutState.RUNNING, step, percentage)
    stage = it.rollout.stage_of(it.flag.version)
    assert stage is not None
    assert (stage.step, stage.weight) == (step, percentage * 1000)
    assert it.look(is_fresh=False).kind is MoveKind.HOLD


@pytest.mark.parametrize("order", ["resume", "advance", "step_back"])
def test_with_a_share_of_no_step_in_force_the_way_out_is_told(order: str) -> None:
    it = Driven().to_step(1)
    it.set_by_hand(30)
    it.look()
    answer = ORDERS[order](it)
    assert isinstance(answer, Refused)
    assert answer.reason == Refusal.SHARE_NOT_OF_A_STEP
    assert "30 %, which is not the rollout's; set it to a step's share (10 %, 50 %, 90 %) and resume" in answer.told


@pytest.mark.parametrize("order", ["resume", "advance", "step_back"])
def test_while_a_kill_acts_no_share_is_set(order: str) -> None:
    it = Driven().to_step(1)
    it.tell(commands.pause)
    it.killed = "carl"
    assert refused(ORDERS[order](it)) == Refusal.KILLED


@pytest.mark.parametrize("order", ["advance", "step_back", "roll_back"])
def test_a_dry_run_sets_no_share_by_order_either(order: str) -> None:
    it = Driven(plan_with(dry_run=True))
    it.set_by_hand(10)
    it.start()
    assert refused(ORDERS[order](it)) == Refusal.DRY_RUN


def test_a_dry_run_can_be_paused_resumed_and_aborted() -> None:
    it = Driven(plan_with(dry_run=True))
    it.set_by_hand(30)
    it.start()
    for order, state in (("pause", "paused"), ("resume", "running"), ("abort", "aborted")):
        it.make(ORDERS[order](it))
        assert (it.state, it.percentage) == (state, 30)


def test_a_failure_that_was_accepted_still_passes_nothing() -> None:
    it = Driven(plan_with(on_fail="pause")).start()
    it.look_later({"p95": FAIL})
    it.tell(commands.resume, it.facts())
    assert it.rollout.overruled == ("p95",)
    it.look({"p95": FAIL})
    assert (it.state, it.percentage) == (RolloutState.HOLDING, 10)
    assert it.rollout.why == "step 1 (10 %): p95 is FAIL, which was accepted"
    it.look({"p95": FAIL, "errors": FAIL})
    assert it.state is RolloutState.PAUSED, "another one was not"
