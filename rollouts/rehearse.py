"""A rehearsal: what a plan would do with some traffic, by the same statistics and judgement that steer rollouts."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple

from flags.bucketing import BUCKETS
from flags.context import TARGETING_KEY
from flags.percentage import MAX_PERCENTAGE
from rollouts.advance import advance
from rollouts.commands import Order, approve
from rollouts.evidence import Evidence, Facts, Judgement
from rollouts.firsts import First
from rollouts.fold import Judged, fold, judged
from rollouts.model import FINAL, Rollout, RolloutState
from rollouts.moves import Move, MoveKind, Sides, moved
from rollouts.plan import Plan
from rollouts.statistics import OUTCOME_TICKS, TICK_S, Statistics
from rollouts.traffic import Standing, Traffic

NEW, CONTROL = "new", "control"
PERSON = Order("a person")
OVER = FINAL | {RolloutState.PAUSED}


class Happening(NamedTuple):
    """What happened in a rehearsal, and what it rested on: `step` and `percentage` are those before the move.

    `kind` is None at the end, when nothing has come to one.
    """

    at_s: float
    step: int
    percentage: float
    calls: int
    units: int
    judgements: Mapping[str, Judgement]
    sample_ratio: Judgement
    kind: MoveKind | None
    state: RolloutState
    why: str


class Rehearsal:
    """One rollout of a plan in simulated time, judged every `interval_s`; looked at every ten seconds or more often.

    A person approves `approve_after_s` after being asked, None for never, and does nothing else. The plan of a dry run
    is rehearsed as if it were none.
    """

    def __init__(self, plan: Plan, traffic: Traffic, starts_at: datetime, approve_after_s: float | None = 0.0) -> None:
        self._traffic = traffic
        self._starts_at = starts_at
        self._approve_after_s = approve_after_s
        self._tick_s = min(TICK_S, plan.interval_s)
        self._statistics = Statistics(plan)
        self._known: set[First] = set()
        self._numbers = count(1)
        self._calls = 0
        self._highest = 0.0
        self._seen_s = 0.0
        self.rollout = _started(plan, starts_at)
        self._judged_of = self.rollout
        self.at_s = 0.0

    def happenings(self, duration_s: float) -> Iterator[Happening | None]:
        """Play until the rollout or the time is over, or a person would have to resume it, and yield what happens.

        None comes now and then, for progress.
        """
        plan, judged_at_s, found = self.rollout.plan, 0.0, self._judged()
        while self.at_s < duration_s and self.rollout.state not in OVER:
            is_busy = self._see(self.at_s + self._tick_s)
            is_fresh = self.at_s >= judged_at_s + plan.interval_s
            if is_fresh:
                judged_at_s = self.at_s
                found = self._judged() if self._may_differ() else found
            happening = self._moved(found, is_fresh) if is_fresh or is_busy else None
            if happening is not None or is_fresh:
                yield happening
        if self.rollout.state not in OVER:
            yield self._happening(found, None, self.rollout)

    def _judged(self) -> Judged:
        self._judged_of = self.rollout
        self._statistics.close(self._now.timestamp())
        return judged(self._statistics, self.rollout)

    def _may_differ(self) -> bool:
        """Whether there was traffic since the last judgement, or ticks of it may still have been open, or a move."""
        settled_s = (OUTCOME_TICKS + 2) * self._tick_s + self.rollout.plan.interval_s
        return self.at_s <= self._seen_s + settled_s or self._judged_of is not self.rollout

    @property
    def _now(self) -> datetime:
        return self._starts_at + timedelta(seconds=self.at_s)

    def _see(self, until_s: float) -> bool:
        """Fold what is seen until then, and say whether there was anything."""
        stage = self.rollout.stages[-1]
        self._highest = max(self._highest, stage.weight * MAX_PERCENTAGE / BUCKETS)
        lines = self._traffic.between(self.at_s, until_s, Standing(stage.flag_version, stage.weight, self._highest))
        self._seen_s = until_s if lines else self._seen_s
        self._calls += sum(line.is_exposure for line in lines)
        self._known.update(fold(self._statistics, self.rollout, zip(self._numbers, lines, strict=False), self._known))
        self.at_s = until_s
        return bool(lines)

    def _moved(self, found: Judged, is_fresh: bool) -> Happening | None:
        before, stage = self.rollout, self.rollout.stages[-1]
        facts = Facts(stage.flag_version, stage.weight, recent=self._statistics.recent(self._now))
        evidence = Evidence(facts, found.judgements, found.units, found.sample_ratio, is_fresh)
        move = self._approval() or advance(before, evidence, self._now)
        writes = move.weight(before) is not None
        self.rollout = moved(before, move, self._now, stage.flag_version + writes)
        is_news = move.dry or self.rollout.state is not before.state or self.rollout.step != before.step
        return self._happening(found, move, before) if is_news and move.kind is not MoveKind.HOLD else None

    def _approval(self) -> Move | None:
        rollout, after_s = self.rollout, self._approve_after_s
        if rollout.state is not RolloutState.WAITING_APPROVAL or after_s is None:
            return None
        if self._now < rollout.state_since + timedelta(seconds=after_s):
            return None
        answer = approve(rollout, PERSON)
        return answer if isinstance(answer, Move) else None

    def _happening(self, found: Judged, move: Move | None, before: Rollout) -> Happening:
        step, calls = before.current, self._calls
        self._calls = 0
        return Happening(
            self.at_s,
            before.step,
            step.percentage,
            calls,
            found.units,
            {name: found.judgements[name] for name in {**dict.fromkeys((*step.gates, *before.plan.guardrails))}},
            found.sample_ratio,
            move.kind if move else None,
            self.rollout.state,
            move.why if move else before.why,
        )


def _started(plan: Plan, now: datetime) -> Rollout:
    rehearsed = plan.model_copy(update={"dry_run": False})
    draft = Rollout(id=f"{plan.name}-rehearsal", plan=rehearsed, state_since=now, created_at=now)
    sides = Sides(plan.variant or NEW, CONTROL, plan.unit or TARGETING_KEY)
    start = Move(MoveKind.START, 0, RolloutState.RUNNING, "started", sides=sides, in_force=plan.weight_at(0))
    return moved(draft, start, now, 1)
