"""What follows from the evidence, in the order of what weighs most."""

from typing import Any

import pytest

from rollouts import commands
from rollouts.advance import advance
from rollouts.evidence import Evidence, Judgement, Recent, Verdict
from rollouts.model import RolloutState
from rollouts.moves import MoveKind, moved
from tests.rollouts.driven import (
    ANA,
    ERROR,
    FAIL,
    INCONCLUSIVE,
    NO_DATA,
    PASS,
    PLAN,
    Driven,
    answered,
    plan_with,
)


def in_every_active_state(**changes: Any) -> dict[str, Driven]:
    """Return a rollout in each state that calls are attributed in."""
    running, holding, paused, baking = (Driven(plan_with(**changes)).to_step(at) for at in (0, 0, 0, 2))
    holding.look_later(NO_DATA)
    paused.tell(commands.pause)
    baking.look_later()
    steps = [step | {"approval": True} for step in PLAN["steps"]]
    waiting = Driven(plan_with(**changes, steps=steps)).to_step(0)
    waiting.look_later()
    driven = {each.state.value: each for each in (running, holding, paused, waiting, baking)}
    assert len(driven) == 5
    return driven


STATES = ("running", "holding", "paused", "waiting_approval", "baking")
DANGERS = {
    "a breaker that stays open": {"breaker_open_s": 30.1},
    "a share of errors": {"recent": Recent(20, 11)},
}


def test_a_rollout_that_passes_everywhere_goes_to_its_end_and_keeps_its_holdback() -> None:
    it = Driven().start()
    seen = [(it.state, it.percentage)]
    for _ in range(12):
        it.look_later()
        seen.append((it.state, it.percentage))
    assert list(dict.fromkeys(seen)) == [
        (RolloutState.RUNNING, 10),
        (RolloutState.RUNNING, 50),
        (RolloutState.RUNNING, 90),
        (RolloutState.BAKING, 90),
        (RolloutState.COMPLETED, 90),
    ]
    kinds = [move.kind for move in it.moves if move.kind is not MoveKind.HOLD]
    assert kinds == [MoveKind.START, MoveKind.ADVANCE, MoveKind.PROMOTE, MoveKind.BAKE, MoveKind.COMPLETE]
    assert it.cohorts() == ["rollout search/power"], "who has the new side keeps it"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("danger", DANGERS)
def test_danger_sends_everyone_back_at_once_in_every_active_state(state: str, danger: str) -> None:
    it = in_every_active_state()[state]
    move = it.look(NO_DATA, is_fresh=False, **DANGERS[danger])
    assert (move.kind, it.state, it.percentage, it.cohorts()) == (MoveKind.ROLL_BACK, RolloutState.ROLLED_BACK, 0, [])
    assert it.rollout.cool_until is not None
    assert move.why


@pytest.mark.parametrize("state", STATES)
def test_a_kill_rolls_back_in_every_active_state(state: str) -> None:
    it = in_every_active_state()[state]
    it.killed = "carl: answers are empty"
    it.look(is_fresh=False)
    assert (it.state, it.rollout.why) == (RolloutState.ROLLED_BACK, "killed: carl: answers are empty")


@pytest.mark.parametrize(
    "facts",
    [{"breaker_open_s": 30.0}, {"recent": Recent(20, 10)}, {"recent": Recent(19, 19)}, {}],
    ids=["not open for longer", "not a greater share", "too few calls", "nothing"],
)
def test_a_hard_limit_that_is_not_passed_does_nothing(facts: dict[str, Any]) -> None:
    assert Driven().start().look(**facts).kind is MoveKind.HOLD


def test_a_hard_limit_can_be_switched_off() -> None:
    it = Driven(plan_with(hard_limits={"breaker_open_s": None, "error_share": None})).start()
    assert it.look(breaker_open_s=3600.0, recent=Recent(1000, 1000)).kind is MoveKind.HOLD


@pytest.mark.parametrize("guardrail", ["errors", "costs"])
@pytest.mark.parametrize("state", STATES)
def test_a_failed_guardrail_acts_in_every_active_state_a_gate_of_the_step_or_not(state: str, guardrail: str) -> None:
    it = in_every_active_state()[state]
    it.look({guardrail: FAIL})
    assert (it.state, it.percentage, it.rollout.failing) == (RolloutState.ROLLED_BACK, 0, (guardrail,))


def test_a_guardrail_alone_need_not_pass_but_must_be_judged() -> None:
    it = Driven().start()
    it.look_later({"costs": INCONCLUSIVE})
    assert it.percentage == 50
    it.look_later({"costs": ERROR}, errors_in_a_row=1)
    assert it.percentage == 50


def test_a_failed_gate_of_the_step_acts_like_a_guardrail() -> None:
    it = Driven().start()
    it.look({"p95": FAIL})
    assert it.state is RolloutState.ROLLED_BACK


def test_a_gate_that_is_a_dry_run_is_only_recorded() -> None:
    it = Driven().start()
    it.look_later({"tried": FAIL})
    assert it.percentage == 50, "it neither fails the step nor has to pass"


@pytest.mark.parametrize("state", STATES)
def test_on_fail_pause_pauses_for_a_person(state: str) -> None:
    it = in_every_active_state(on_fail="pause")[state]
    it.look({"errors": FAIL})
    assert it.state is RolloutState.PAUSED


def test_on_fail_hold_waits_until_it_fails_no_more() -> None:
    it = Driven(plan_with(on_fail="hold")).start()
    it.look({"errors": FAIL})
    assert (it.state, it.rollout.failing) == (RolloutState.HOLDING, ("errors",))
    it.look_later()
    assert (it.state, it.percentage) == (RolloutState.RUNNING, 50)


def test_a_hold_in_the_bake_goes_back_to_baking_and_completes_later() -> None:
    it = Driven(plan_with(on_fail="hold")).to_step(2)
    it.look_later()
    it.look({"errors": FAIL})
    it.wait(7200)
    it.look({"errors": FAIL})
    assert it.state is RolloutState.HOLDING
    it.look()
    assert it.state is RolloutState.COMPLETED


@pytest.mark.parametrize("verdict", [NO_DATA, INCONCLUSIVE, ERROR])
def test_nothing_but_a_pass_lets_it_go_on(verdict: Verdict) -> None:
    it = Driven().start()
    for _ in range(5):
        it.look_later({"p95": verdict}, errors_in_a_row=5)
    assert (it.state, it.percentage) == (RolloutState.HOLDING, 10)
    assert "p95" in it.rollout.why


def test_a_gate_that_nobody_judged_has_no_data() -> None:
    it = Driven().start()
    it.wait(600)
    move = advance(it.rollout, Evidence(it.facts(), {"errors": Judgement(PASS)}, 1000, is_fresh=True), it.now)
    assert (move.kind, move.why) == (MoveKind.HOLD, "step 1 (10 %): p95 is NO_DATA")


def test_an_error_holds_after_four_in_a_row_and_never_rolls_back() -> None:
    it = Driven().start()
    it.wait(600)
    for row in (1, 2, 3):
        assert it.look({"errors": ERROR}, errors_in_a_row=row).kind is MoveKind.HOLD
        assert (it.state, it.percentage) == (RolloutState.RUNNING, 10)
    it.look({"errors": ERROR}, errors_in_a_row=4)
    assert (it.state, it.rollout.why) == (RolloutState.HOLDING, "errors could not be judged 4 times in a row")
    it.look()
    assert it.percentage == 50


@pytest.mark.parametrize("state", ["running", "holding", "waiting_approval", "baking"])
def test_a_broken_sample_ratio_voids_every_verdict(state: str) -> None:
    it = in_every_active_state()[state]
    percentage = it.percentage
    it.wait(7000)
    it.look({"errors": FAIL}, sample_ratio=FAIL)
    assert (it.state in {RolloutState.HOLDING, RolloutState.PAUSED}, it.percentage) == (True, percentage)
    assert "sample ratio" in it.rollout.why
    it.look(breaker_open_s=60.0, sample_ratio=FAIL)
    assert it.state is RolloutState.ROLLED_BACK, "facts need no statistics"


def test_neither_time_nor_units_nor_warm_up_may_be_short() -> None:
    it = Driven(plan_with(warm_up_s=1200)).start()
    it.wait(600)
    assert "runs at least until 2026-01-05 00:20:00+00:00" in it.look().why
    it.wait(600)
    assert "fewer than 100 units" in it.look(units=99).why
    it.look(units=100)
    assert it.percentage == 50


def test_the_longest_time_ends_in_a_pause_for_a_person() -> None:
    it = Driven().start()
    it.wait(7199)
    it.look(INCONCLUSIVE)
    assert it.state is RolloutState.HOLDING
    it.wait(1)
    it.look(INCONCLUSIVE)
    assert (it.state, it.percentage) == (RolloutState.PAUSED, 10)
    assert it.rollout.why.startswith("7,200 s were not enough: step 1 (10 %): errors is INCONCLUSIVE, p95 is INC")


def test_approval_is_asked_for_once_everything_passed() -> None:
    it = in_every_active_state()["waiting_approval"]
    assert it.percentage == 10
    it.look_later()
    assert it.state is RolloutState.WAITING_APPROVAL
    it.tell(commands.approve)
    it.look({"p95": INCONCLUSIVE})
    assert it.percentage == 10, "approved, but it passes no more"
    it.look()
    assert (it.percentage, it.rollout.approved) == (50, False)


@pytest.mark.parametrize("verdict", [PASS, INCONCLUSIVE, NO_DATA])
def test_who_waits_for_approval_goes_on_waiting_and_is_written_once(verdict: Verdict) -> None:
    it = in_every_active_state()["waiting_approval"]
    waiting = it.rollout
    for _ in range(3):
        it.look_later(verdict)
    assert it.rollout is waiting


def test_a_share_changed_during_a_pause_is_told_too() -> None:
    it = Driven().start()
    it.tell(commands.pause)
    it.set_by_hand(30)
    it.look(is_fresh=False)
    assert it.rollout.why.startswith("bob changed the share")
    assert it.state is RolloutState.PAUSED


def test_another_version_with_the_same_share_is_taken_on_and_continues_the_step() -> None:
    it = Driven().to_step(1)
    began = it.now
    it.look_later(NO_DATA)
    it.edit_by_hand(description="clearer")
    assert it.look(NO_DATA).kind is MoveKind.ADOPT
    stage = it.rollout.stage_of(it.flag.version)
    assert stage is not None
    assert (stage.step, stage.weight, stage.began_at, it.state) == (1, 50_000, began, RolloutState.HOLDING)
    assert it.look(NO_DATA).kind is MoveKind.HOLD


def test_a_version_that_is_taken_on_leaves_the_reason_of_a_pause() -> None:
    it = Driven(plan_with(on_fail="pause")).start()
    it.look({"errors": FAIL})
    paused = it.rollout
    it.edit_by_hand(description="clearer")
    assert it.look().kind is MoveKind.ADOPT
    assert (it.rollout.why, it.rollout.failing, it.state) == (paused.why, ("errors",), RolloutState.PAUSED)


def test_the_longest_time_counts_anew_at_every_step() -> None:
    it = Driven().start()
    it.wait(7000)
    it.look()
    it.look_later(INCONCLUSIVE)
    assert (it.rollout.step, it.state) == (1, RolloutState.HOLDING)


def test_a_share_that_a_person_changed_pauses_once_and_says_who_and_what() -> None:
    it = Driven().start()
    it.set_by_hand(30)
    it.look()
    assert (it.state, it.percentage) == (RolloutState.PAUSED, 30)
    told = 'bob changed the share of "new" from 10 % to 30 % in version 3 of flag "search-v2"'
    assert it.rollout.why.startswith(told)
    paused = it.rollout
    assert it.look().kind is MoveKind.HOLD
    assert it.rollout is paused


@pytest.mark.parametrize(
    "changes",
    [{"enabled": False}, {"bucket_by": "tenant"}, {"default": {"variant": "new"}}],
    ids=["disabled", "hashes something else", "everyone"],
)
def test_a_flag_that_splits_no_more_pauses(changes: dict[str, Any]) -> None:
    it = Driven().start()
    it.flag = type(it.flag).model_validate(it.flag.model_dump() | changes | {"version": 9})
    it.look()
    assert it.state is RolloutState.PAUSED
    assert "no longer splits" in it.rollout.why


def test_between_two_evaluations_only_facts_count() -> None:
    it = Driven().start()
    it.wait(600)
    assert it.look(FAIL, is_fresh=False).kind is MoveKind.HOLD
    assert it.state is RolloutState.RUNNING


def test_a_rollback_that_cannot_write_the_flag_has_begun_and_is_tried_again() -> None:
    it = Driven().start()
    move = answered(commands.roll_back(it.rollout, ANA))
    it.rollout = moved(it.rollout, move, it.now, None)
    assert it.state is RolloutState.ROLLING_BACK
    assert moved(it.rollout, move, it.now, None) is it.rollout
    it.look(is_fresh=False)
    assert (it.state, it.percentage, it.cohorts()) == (RolloutState.ROLLED_BACK, 0, [])


def test_a_hold_that_goes_on_is_not_written_again() -> None:
    it = Driven().start()
    it.look_later(NO_DATA)
    held = it.rollout
    it.wait(30)
    it.look(NO_DATA)
    assert it.rollout is held
    it.look(INCONCLUSIVE)
    assert it.rollout.why != held.why
    assert it.rollout.state_since == held.state_since


def test_every_move_says_why_in_words() -> None:
    it = Driven().start()
    for verdicts in (NO_DATA, INCONCLUSIVE, PASS):
        move = it.look_later(verdicts)
        assert " " in move.why
        assert len(move.why) > 10


def test_a_plan_that_is_a_dry_run_is_judged_and_moves_nobody() -> None:
    it = Driven(plan_with(dry_run=True))
    it.set_by_hand(10)
    version = it.flag.version
    it.start()
    move = it.look_later()
    assert (move.kind, move.dry, it.rollout.step) == (MoveKind.ADVANCE, True, 0)
    move = it.look(FAIL, breaker_open_s=60.0)
    assert (move.kind, move.dry, it.state) == (MoveKind.ROLL_BACK, True, RolloutState.RUNNING)
    assert (it.flag.version, it.percentage, it.cohorts()) == (version, 10, [])
    it.set_by_hand(60)
    it.look()
    assert (it.rollout.step, it.rollout.stages[-1].weight) == (1, 60_000), "it follows whoever sets the percentage"


def test_a_draft_and_an_ended_rollout_stay_as_they_are() -> None:
    ended = Driven().start()
    ended.tell(commands.abort)
    for it in (Driven(), ended):
        before = it.rollout
        it.look(FAIL, breaker_open_s=60.0)
        assert it.rollout is before


def test_evidence_that_is_not_read_to_its_end_may_fail_and_never_passes() -> None:
    it = Driven().start()
    it.look_later(is_behind=True)
    assert (it.state, it.percentage) == (RolloutState.HOLDING, 10)
    assert "not read to its end" in it.rollout.why
    it.look()
    assert (it.state, it.percentage) == (RolloutState.RUNNING, 50)
    it.look({"errors": FAIL}, is_behind=True)
    assert it.state is RolloutState.ROLLED_BACK


@pytest.mark.parametrize(("evidence", "why"), [({"units": 0}, "nobody"), ({"is_behind": True}, "not read")])
def test_a_bake_that_saw_nobody_or_not_all_is_not_over(evidence: dict[str, Any], why: str) -> None:
    it = Driven().to_step(2)
    it.look_later()
    it.wait(3600)
    it.look(NO_DATA, **evidence)
    assert it.state is RolloutState.HOLDING
    assert why in it.rollout.why
    it.look()
    assert it.state is RolloutState.COMPLETED


def test_a_bake_begins_anew_after_a_pause_in_which_a_person_changed_the_flag() -> None:
    it = Driven().to_step(2)
    it.look_later()
    it.set_by_hand(0)
    it.look()
    it.wait(3600)
    it.set_by_hand(90)
    it.tell(commands.resume, it.facts())
    it.look()
    assert it.state is RolloutState.BAKING
    it.wait(3600)
    it.look()
    assert it.state is RolloutState.COMPLETED
