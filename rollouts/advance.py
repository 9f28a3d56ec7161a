"""The controller's judgement: what follows from the evidence now. It never raises a share without every gate's PASS."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from rollouts.evidence import Evidence, Facts, Judgement, Verdict
from rollouts.model import Rollout, RolloutState
from rollouts.moves import Move, MoveKind, stay
from rollouts.plan import OnFail, Step
from rollouts.wording import listed, percent, when

MOST_ERRORS_IN_A_ROW = 4
"""So many evaluations in a row may end in an ERROR before a rollout is held for it."""

STILL = frozenset({RolloutState.PAUSED, RolloutState.WAITING_APPROVAL})
"""States that only a person ends, as long as nothing fails."""

BEHIND = "the outcome log is not read to its end"
NOBODY = "nobody was seen on the new side since it began"


def advance(rollout: Rollout, evidence: Evidence, now: datetime) -> Move:
    """Decide the move that follows from the evidence.

    In order: what rolls back at once, what a person did to the flag, a broken sample ratio, failed gates, gates that
    could not be judged, and only then the way on. A rollout that has not started or has ended stays as it is.
    """
    if not rollout.is_active:
        return stay(rollout)
    if rollout.state is RolloutState.ROLLING_BACK:
        return _to_nothing(rollout, rollout.why)
    move = _without_statistics(rollout, evidence.facts)
    if move is None:
        move = _by_statistics(rollout, evidence, now) if evidence.is_fresh else stay(rollout)
    return move._replace(dry=rollout.plan.dry_run and move.kind is not MoveKind.ADOPT)


def _without_statistics(rollout: Rollout, facts: Facts) -> Move | None:
    danger = _danger(rollout, facts)
    return _to_nothing(rollout, danger) if danger is not None else _after_a_person(rollout, facts)


def _danger(rollout: Rollout, facts: Facts) -> str | None:
    """Say what sends everyone back at once, None for nothing."""
    limits, recent = rollout.plan.hard_limits, facts.recent
    if facts.killed is not None:
        return f"killed: {facts.killed}"
    if limits.breaker_open_s is not None and facts.breaker_open_s > limits.breaker_open_s:
        return f'the breaker of "{rollout.variant}" has been open for more than {limits.breaker_open_s:g} s'
    enough = recent.calls >= limits.error_min_calls
    if limits.error_share is not None and enough and recent.errors > limits.error_share * recent.calls:
        counted = f"{recent.errors:,} of {recent.calls:,} calls failed in {limits.error_window_s} s"
        return f'{counted} on "{rollout.variant}", the limit is {limits.error_share * 100:g} %'
    return None


def _after_a_person(rollout: Rollout, facts: Facts) -> Move | None:
    """Take on another version of the flag with the same share, and stop for one with another."""
    last = rollout.stages[-1]
    if facts.weight == last.weight:
        same = facts.flag_version == last.flag_version
        return None if same else _adopting(rollout, rollout.step, facts)
    if rollout.plan.dry_run and facts.weight is not None:
        return _adopting(rollout, rollout.plan.step_below(facts.weight), facts)
    why = f"{_who_changed_what(rollout, facts, last.weight)}; {_ways_out(rollout)}"
    if rollout.state is RolloutState.PAUSED and rollout.why == why:
        return None
    return Move(MoveKind.PAUSE, rollout.step, RolloutState.PAUSED, why)


def _adopting(rollout: Rollout, step: int, facts: Facts) -> Move:
    why = f'version {facts.flag_version} of flag "{rollout.plan.flag}" is taken on'
    return Move(MoveKind.ADOPT, step, rollout.state, why, rollout.failing, in_force=facts.weight)


def _who_changed_what(rollout: Rollout, facts: Facts, before: int) -> str:
    who, flag = facts.changed_by or "somebody", rollout.plan.flag
    if facts.weight is None:
        return f'{who} changed flag "{flag}": it no longer splits between "{rollout.variant}" and "{rollout.control}"'
    shares = f"from {percent(before)} to {percent(facts.weight)}"
    return f'{who} changed the share of "{rollout.variant}" {shares} in version {facts.flag_version} of flag "{flag}"'


def _ways_out(rollout: Rollout) -> str:
    shares = listed(f"{step.percentage:g} %" for step in rollout.plan.steps)
    return f"set it to a step's share ({shares}) and resume, or roll back, or abort"


def _by_statistics(rollout: Rollout, evidence: Evidence, now: datetime) -> Move:
    return (
        _void(rollout, evidence, now)
        or _failed(rollout, evidence, now)
        or _unreadable(rollout, evidence, now)
        or _onwards(rollout, evidence, now)
    )


def _void(rollout: Rollout, evidence: Evidence, now: datetime) -> Move | None:
    if evidence.sample_ratio.verdict is not Verdict.FAIL:
        return None
    why = "the sides do not have the units that the split gives them (sample ratio), so all verdicts are void"
    return _hold(rollout, why, now)


def _failed(rollout: Rollout, evidence: Evidence, now: datetime) -> Move | None:
    failing = tuple(sorted({*_with_verdict(rollout, evidence, Verdict.FAIL)} - {*rollout.overruled}))
    if not failing:
        return None
    why = f"{listed(failing)} failed at step {rollout.step + 1} ({rollout.current.percentage:g} %)"
    match rollout.plan.on_fail:
        case OnFail.ROLLBACK:
            return _to_nothing(rollout, why, failing)
        case OnFail.HOLD:
            return _hold(rollout, why, now, failing)
        case OnFail.PAUSE:
            return _pause(rollout, f"{why}; resume or advance to accept it, step back, or roll back", failing)


def _unreadable(rollout: Rollout, evidence: Evidence, now: datetime) -> Move | None:
    broken = sorted({*_with_verdict(rollout, evidence, Verdict.ERROR)})
    if not broken:
        return None
    why = f"{listed(broken)} could not be judged"
    if evidence.errors_in_a_row >= MOST_ERRORS_IN_A_ROW:
        return _hold(rollout, f"{why} {MOST_ERRORS_IN_A_ROW} times in a row", now)
    return stay(rollout, f"{why}; asked again at the next evaluation")


def _with_verdict(rollout: Rollout, evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    """Yield the guardrails and the step's gates that have a verdict and count."""
    for name in (*rollout.plan.guardrails, *rollout.current.gates):
        if not rollout.plan.gates[name].dry_run and _judged(evidence, name).verdict is verdict:
            yield name


def _judged(evidence: Evidence, name: str) -> Judgement:
    return evidence.judgements.get(name, Judgement(Verdict.NO_DATA))


def _onwards(rollout: Rollout, evidence: Evidence, now: datetime) -> Move:
    if rollout.state in STILL:
        return stay(rollout)
    if rollout.baking_since is not None:
        return _baked(rollout, rollout.baking_since, evidence, now)
    step, due = rollout.current, _due_at(rollout)
    if now < due:
        return _go(rollout, f"step {rollout.step + 1} ({step.percentage:g} %) runs at least until {when(due)}")
    missing = listed(_missing(rollout, step, evidence))
    if missing:
        return _hold(rollout, f"step {rollout.step + 1} ({step.percentage:g} %): {missing}", now)
    if step.approval and not rollout.approved:
        why = f"every gate of step {rollout.step + 1} ({step.percentage:g} %) passed; somebody has to approve"
        return Move(MoveKind.WAIT_APPROVAL, rollout.step, RolloutState.WAITING_APPROVAL, why)
    return past_the_step(rollout, f"every gate of step {rollout.step + 1} ({step.percentage:g} %) passed")


def _due_at(rollout: Rollout) -> datetime:
    """Return when the step may end at the earliest."""
    step = rollout.current
    warm_up_s = rollout.plan.warm_up_s if step.gates or step.min_units else 0
    return _step_began(rollout) + timedelta(seconds=max(step.min_s, warm_up_s))


def _step_began(rollout: Rollout) -> datetime:
    return rollout.step_since or rollout.state_since


def _missing(rollout: Rollout, step: Step, evidence: Evidence) -> Iterator[str]:
    """Yield, without figures that change at every look, what the step lacks before it may end."""
    if evidence.is_behind:
        yield BEHIND
    if evidence.units < step.min_units:
        yield f"fewer than {step.min_units:,} units so far"
    for name in step.gates:
        verdict = _judged(evidence, name).verdict
        if verdict is not Verdict.PASS and not rollout.plan.gates[name].dry_run:
            accepted = ", which was accepted" if name in rollout.overruled else ""
            yield f"{name} is {verdict}{accepted}"


def _baked(rollout: Rollout, since: datetime, evidence: Evidence, now: datetime) -> Move:
    until = since + timedelta(seconds=rollout.plan.bake_s)
    if now < until:
        return _go(rollout, f"bakes until {when(until)}")
    if evidence.is_behind or not evidence.units:
        return _hold(rollout, f"bake: {BEHIND if evidence.is_behind else NOBODY}", now)
    why = f"baked for {rollout.plan.bake_s:,} s without a failed guardrail"
    return Move(MoveKind.COMPLETE, rollout.step, RolloutState.COMPLETED, why)


def past_the_step(rollout: Rollout, why: str) -> Move:
    """Return the move to what comes after the step: the next one, the bake, or the end."""
    if not rollout.is_at_last_step:
        kind = MoveKind.PROMOTE if rollout.step + 2 == len(rollout.plan.steps) else MoveKind.ADVANCE
        return Move(kind, rollout.step + 1, RolloutState.RUNNING, why)
    if rollout.plan.bake_s and rollout.baking_since is None:
        return Move(MoveKind.BAKE, rollout.step, RolloutState.BAKING, why)
    return Move(MoveKind.COMPLETE, rollout.step, RolloutState.COMPLETED, why)


def _to_nothing(rollout: Rollout, why: str, failing: tuple[str, ...] = ()) -> Move:
    return Move(MoveKind.ROLL_BACK, rollout.step, RolloutState.ROLLED_BACK, why, failing)


def _go(rollout: Rollout, why: str) -> Move:
    return Move(MoveKind.HOLD, rollout.step, rollout.going, why)


def _hold(rollout: Rollout, why: str, now: datetime, failing: tuple[str, ...] = ()) -> Move:
    """Hold; but pause for a person when the step's time is up. A paused rollout stays paused."""
    max_s = rollout.current.max_s
    if max_s is not None and rollout.baking_since is None:
        since = rollout.patient_since or _step_began(rollout)
        if now >= since + timedelta(seconds=max_s):
            return _pause(
                rollout, f"{max_s:,} s were not enough: {why}; resume, advance, step back or roll back", failing
            )
    if rollout.state is RolloutState.PAUSED:
        return stay(rollout, why)
    return Move(MoveKind.HOLD, rollout.step, RolloutState.HOLDING, why, failing)


def _pause(rollout: Rollout, why: str, failing: tuple[str, ...]) -> Move:
    if rollout.state is RolloutState.PAUSED:
        return stay(rollout, why)
    return Move(MoveKind.PAUSE, rollout.step, RolloutState.PAUSED, why, failing)
