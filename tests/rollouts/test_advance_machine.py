"""A rollout's whole life, under every evidence, order and edit in any order."""

from typing import Any

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rollouts import commands
from rollouts.commands import Answer
from rollouts.evidence import Recent, Verdict
from rollouts.model import FINAL, RolloutState
from rollouts.moves import Move, MoveKind, moved
from rollouts.plan import OnFail
from tests.rollouts.driven import ANA, FAIL, PASS, PLAN, Driven, plan_with

LASTING = ("start", "pause", "resume", "advance", "approve", "approve", "step_back")
ENDING = ("roll_back", "abort")
RAISING = {"start", "advance"}
HELD = {RolloutState.PAUSED, RolloutState.WAITING_APPROVAL}

often_pass = st.one_of(st.just(PASS), st.just(PASS), st.sampled_from(list(Verdict)))
seldom_fail = st.sampled_from([Verdict.INCONCLUSIVE] * 9 + [FAIL])
verdicts = st.fixed_dictionaries(
    {"errors": often_pass, "p95": often_pass, "costs": seldom_fail, "tried": st.sampled_from(list(Verdict))}
)
nothing: dict[str, Any] = {}
dangers = st.sampled_from([nothing] * 12 + [{"breaker_open_s": 31.0}, {"recent": Recent(20, 11)}])


@st.composite
def plans(draw: st.DrawFn) -> Any:
    """Make plans that differ in all that `advance` asks them."""
    steps = [
        step | {"approval": draw(st.booleans()), "max_s": draw(st.sampled_from([None, 1200]))} for step in PLAN["steps"]
    ]
    return plan_with(
        steps=steps,
        on_fail=draw(st.sampled_from(list(OnFail))),
        bake_s=draw(st.sampled_from([0, 900])),
        dry_run=draw(st.sampled_from([False, False, False, True])),
        guardrails=draw(st.sampled_from([["errors"], ["errors", "p95", "costs"]])),
    )


class RolloutMachine(RuleBasedStateMachine):
    """Looks, orders, waits, kills, and persons who edit the flag."""

    @initialize(plan=plans())
    def begin(self, plan: Any) -> None:
        """Make a draft; a dry run's flag has a share already."""
        self.it = Driven(plan)
        if plan.dry_run:
            self.it.set_by_hand(10)
        self.order("start")

    @rule()
    def begin_another(self) -> None:
        """Once it is over, begin another one."""
        if self.it.state in FINAL:
            self.begin(self.it.rollout.plan)

    @rule(seconds=st.sampled_from([0, 1, 30, 600, 600, 900, 1500]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.it.wait(seconds)

    @rule(
        verdicts=verdicts,
        danger=dangers,
        units=st.sampled_from([0, 99, 100, 1000]),
        sample_ratio=st.sampled_from([Verdict.INCONCLUSIVE, PASS, PASS, FAIL]),
        in_a_row=st.integers(0, 5),
        is_fresh=st.sampled_from([True, True, False]),
    )
    def look(
        self,
        verdicts: dict[str, Verdict],
        danger: dict[str, Any],
        units: int,
        sample_ratio: Verdict,
        in_a_row: int,
        is_fresh: bool,
    ) -> None:
        """Judge, and hold the move against what it may do."""
        self.looked(verdicts, danger, units, sample_ratio, in_a_row, is_fresh)

    @rule(seconds=st.sampled_from([600, 900]))
    def all_is_well(self, seconds: int) -> None:
        """Let a step's time pass, and everything with it."""
        self.it.wait(seconds)
        self.looked(dict.fromkeys(PLAN["gates"], PASS), {}, 1000, Verdict.INCONCLUSIVE, 0, is_fresh=True)

    @rule(name=st.sampled_from(LASTING * 4 + ENDING))
    def order(self, name: str) -> None:
        """Tell it, and tell it again: the second time nothing is new."""
        before, percentage = self.it.rollout, self.it.percentage
        target = before.step - 1 if name == "step_back" else before.step + 1 + (before.baking_since is not None)
        self.told(name, target)
        after, flag = self.it.rollout, self.it.flag
        if before.state in FINAL:
            assert after is before
        if self.it.percentage > percentage:
            assert name in RAISING
        if after is not before:
            event(name)
            self.told(name, target)
            assert (self.it.rollout, self.it.flag) == (after, flag)

    @rule(percentage=st.sampled_from([0, 5, 10, 30, 50, 90, 100]), happens=st.integers(0, 3))
    def set_by_hand(self, percentage: float, happens: int) -> None:
        """Change the share as a person does, if no kill forbids it."""
        if self.it.killed is None and happens == 0:
            self.it.set_by_hand(percentage)

    @rule(enabled=st.sampled_from([True, True, True, True, False]))
    def edit_by_hand(self, enabled: bool) -> None:
        """Change something else of the flag, or switch it off."""
        self.it.edit_by_hand(enabled=enabled)

    @rule(killed=st.sampled_from([None] * 10 + ["carl"]))
    def kill(self, killed: str | None) -> None:
        """Kill the flag, or release it."""
        self.it.killed = killed

    @rule(happens=st.integers(0, 19))
    def fail_to_write_the_flag(self, happens: int) -> None:
        """Begin a rollback whose flag could not be written; the next look has to end it."""
        answer = commands.roll_back(self.it.rollout, ANA)
        if happens == 0 and isinstance(answer, Move) and answer.kind is MoveKind.ROLL_BACK:
            self.it.rollout = moved(self.it.rollout, answer, self.it.now, None)
            assert self.it.state is RolloutState.ROLLING_BACK
            self.it.look(FAIL, is_fresh=False)
            self.is_back()

    @invariant()
    def is_consistent(self) -> None:
        """Step, stages and state agree."""
        if not hasattr(self, "it") or not self.it.rollout.is_active:
            return
        rollout = self.it.rollout
        assert rollout.stages
        assert rollout.stages[-1].step == rollout.step
        assert rollout.stages[-1].flag_version <= self.it.flag.version
        assert (rollout.state is RolloutState.BAKING) <= (rollout.baking_since is not None)
        assert (rollout.state is RolloutState.RUNNING) <= (rollout.baking_since is None)
        assert rollout.ended_at is None
        assert rollout.why
        if not rollout.plan.dry_run and self.it.changed_by == "crossfade":
            assert self.it.percentage == rollout.current.percentage
            assert self.it.cohorts() == ["rollout search/power"]

    def looked(
        self,
        verdicts: dict[str, Verdict],
        danger: dict[str, Any],
        units: int,
        sample_ratio: Verdict,
        in_a_row: int,
        is_fresh: bool,
    ) -> None:
        it, before, flag, percentage = self.it, self.it.rollout, self.it.flag, self.it.percentage
        stands = before.is_active and it.facts().weight == before.stages[-1].weight
        same = stands and flag.version == before.stages[-1].flag_version
        move = it.look(
            verdicts,
            units=units,
            sample_ratio=sample_ratio,
            errors_in_a_row=in_a_row,
            is_fresh=is_fresh,
            **danger,
        )
        event(f"{before.state} {move.kind}{' dry' if move.dry else ''}")
        if not before.is_active:
            assert it.rollout is before
        if before.plan.dry_run or not before.is_active:
            assert it.flag is flag
            return
        if it.percentage > percentage:
            assert move.kind in {MoveKind.ADVANCE, MoveKind.PROMOTE}
            assert it.rollout.step == before.step + 1
            assert before.state not in HELD
            self.was_allowed(before, verdicts, units, sample_ratio, danger, is_fresh=is_fresh, same=same)
        if danger or it.killed is not None:
            self.is_back()
        elif is_fresh and same and sample_ratio is not FAIL:
            self.guarded(before, verdicts, percentage)
        if sample_ratio is FAIL and not danger and it.killed is None:
            assert it.percentage == percentage

    def was_allowed(
        self,
        before: Any,
        verdicts: dict[str, Verdict],
        units: int,
        sample_ratio: Verdict,
        danger: Any,
        *,
        is_fresh: bool,
        same: bool,
    ) -> None:
        step = before.current
        assert is_fresh
        assert same
        assert not danger
        assert sample_ratio is not FAIL
        assert units >= step.min_units
        assert all(verdicts[name] is PASS for name in step.gates if name != "tried")
        failed = {name for name in before.plan.guardrails if verdicts[name] is FAIL}
        assert failed <= {*before.overruled}
        assert (self.it.now - before.step_since).total_seconds() >= step.min_s
        assert before.approved or not step.approval

    def guarded(self, before: Any, verdicts: dict[str, Verdict], percentage: float) -> None:
        watched = {"errors", "p95", *before.plan.guardrails}
        failed = {name for name in watched if verdicts[name] is FAIL} - {*before.overruled}
        if not failed:
            return
        if before.plan.on_fail is OnFail.ROLLBACK:
            self.is_back()
        else:
            assert self.it.state in {RolloutState.HOLDING, RolloutState.PAUSED}
            assert self.it.percentage == percentage

    def is_back(self) -> None:
        assert self.it.state is RolloutState.ROLLED_BACK
        assert (self.it.percentage, self.it.cohorts()) == (0, [])

    def told(self, name: str, target: int) -> None:
        it = self.it
        answers: dict[str, Any] = {
            "start": lambda: commands.start(it.rollout, ANA, it.ground()),
            "resume": lambda: commands.resume(it.rollout, ANA, it.facts()),
            "advance": lambda: commands.advance(it.rollout, ANA, it.facts(), target),
            "step_back": lambda: commands.step_back(it.rollout, ANA, it.facts(), target),
        }
        plain: Any = getattr(commands, name)
        answer: Answer = answers.get(name, lambda: plain(it.rollout, ANA))()
        if isinstance(answer, Move):
            it.make(answer)


TestRolloutMachine = RolloutMachine.TestCase
TestRolloutMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
