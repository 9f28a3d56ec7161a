"""What a person may tell a rollout. Doing again what is already so changes nothing; what is over stays over."""

from typing import NamedTuple

from rollouts.advance import past_the_step
from rollouts.evidence import Facts
from rollouts.model import FINAL, Rollout, RolloutState
from rollouts.moves import Move, MoveKind, stay
from rollouts.plan import OnFail
from rollouts.refusals import Refusal, Refused
from rollouts.starting import Ground, starting
from rollouts.wording import listed, percent

Answer = Move | Refused


class Order(NamedTuple):
    """Who tells it, and why."""

    actor: str
    reason: str = ""

    def told(self, what: str) -> str:
        """Return the sentence that the rollout keeps: `ana paused it: night shift`."""
        return f"{self.actor} {what}: {self.reason}" if self.reason else f"{self.actor} {what}"


def start(rollout: Rollout, order: Order, ground: Ground) -> Answer:
    """Start a draft, if the flag, the route and the other rollouts let it."""
    if rollout.is_active:
        return stay(rollout)
    if rollout.state is not RolloutState.DRAFT:
        return _ended(rollout)
    return starting(rollout, order.told("started it"), ground)


def pause(rollout: Rollout, order: Order) -> Answer:
    """Stop raising; guardrails and hard limits go on."""
    if rollout.state is RolloutState.PAUSED:
        return stay(rollout)
    paused = Move(MoveKind.PAUSE, rollout.step, RolloutState.PAUSED, order.told("paused it"))
    return _not_under_way(rollout) or paused


def resume(rollout: Rollout, order: Order, facts: Facts) -> Answer:
    """Go on after a pause, at the step whose share is in force; a failure that paused it is accepted by that."""
    refused = _not_under_way(rollout)
    if refused is not None or rollout.state is not RolloutState.PAUSED:
        return refused or stay(rollout)
    if facts.killed is not None:
        return _killed(rollout)
    step = _step_with(rollout, facts.weight)
    if step is None:
        return _unknown_share(rollout, facts.weight)
    state = rollout.going if step == rollout.step else RolloutState.RUNNING
    accepted = rollout.failing if rollout.plan.on_fail is OnFail.PAUSE else ()
    return Move(MoveKind.RESUME, step, state, order.told("resumed it"), overrules=accepted, in_force=facts.weight)


def advance(rollout: Rollout, order: Order, facts: Facts, to: int | None = None) -> Answer:
    """Go to the next step now, whatever the gates say; past the last one to the bake, past the bake to the end.

    `to` is the step wanted, counted from 0, the bake being one more: at it or behind it already, nothing changes, so a
    second click does no harm.
    """
    at = rollout.step + (rollout.baking_since is not None)
    if rollout.state is RolloutState.COMPLETED or (rollout.is_active and to is not None and to <= at):
        return stay(rollout)
    refused = _not_under_way(rollout) or _not_of_its_own(rollout, facts)
    if refused is not None:
        return refused
    if to is not None and to > at + 1:
        told = f"it is at step {rollout.step + 1}; it goes one step at a time"
        return Refused(Refusal.NO_SUCH_STEP, told)
    return past_the_step(rollout, order.told("advanced it"))._replace(overrules=rollout.failing)


def approve(rollout: Rollout, order: Order) -> Answer:
    """Approve the step when it has passed and waits for that; it goes on at the next look, if it still passes."""
    if rollout.is_active and rollout.approved:
        return stay(rollout)
    refused = _not_under_way(rollout)
    if refused is not None:
        return refused
    if rollout.state is not RolloutState.WAITING_APPROVAL:
        told = f"nobody is asked to approve: it is {rollout.state}; approve when it is waiting_approval"
        return Refused(Refusal.NOT_ASKED, told)
    return Move(MoveKind.APPROVE, rollout.step, rollout.going, order.told("approved the step"))


def step_back(rollout: Rollout, order: Order, facts: Facts, to: int | None = None) -> Answer:
    """Go one step back and judge that one anew; a paused rollout stays paused. `to` as for `advance`."""
    if rollout.is_active and to is not None and to >= rollout.step:
        return stay(rollout)
    refused = _not_under_way(rollout) or _not_of_its_own(rollout, facts)
    if refused is not None:
        return refused
    if rollout.step == 0 or (to is not None and to < rollout.step - 1):
        told = (
            f"it is at step {rollout.step + 1}; it goes one step at a time, and before the first there is only rollback"
        )
        return Refused(Refusal.NO_SUCH_STEP, told)
    is_paused = rollout.state is RolloutState.PAUSED
    state = RolloutState.PAUSED if is_paused else RolloutState.RUNNING
    failing = rollout.failing if is_paused else ()
    return Move(MoveKind.STEP_BACK, rollout.step - 1, state, order.told("stepped it back"), failing)


def roll_back(rollout: Rollout, order: Order) -> Answer:
    """Send everyone back now."""
    if rollout.state in {RolloutState.ROLLED_BACK, RolloutState.ROLLING_BACK}:
        return stay(rollout)
    if rollout.state in FINAL:
        told = f"it is {rollout.state}, and stays so; to send everyone back set the percentage to 0, or kill the flag"
        return Refused(Refusal.ENDED, told)
    if rollout.plan.dry_run and rollout.is_active:
        return _dry()
    move = Move(MoveKind.ROLL_BACK, rollout.step, RolloutState.ROLLED_BACK, order.told("rolled it back"))
    return _not_under_way(rollout) or move


def abort(rollout: Rollout, order: Order) -> Answer:
    """End it and leave the percentage, and the cohorts, as they are."""
    if rollout.state is RolloutState.ABORTED:
        return stay(rollout)
    refused = None if rollout.state is RolloutState.DRAFT else _ended_or_going_back(rollout)
    return refused or Move(MoveKind.ABORT, rollout.step, RolloutState.ABORTED, order.told("aborted it"))


def _not_under_way(rollout: Rollout) -> Refused | None:
    if rollout.state is RolloutState.DRAFT:
        return Refused(Refusal.NOT_STARTED, "it has not started; start it first")
    return _ended_or_going_back(rollout)


def _ended_or_going_back(rollout: Rollout) -> Refused | None:
    if rollout.state in FINAL:
        return _ended(rollout)
    if rollout.state is RolloutState.ROLLING_BACK:
        return Refused(Refusal.ROLLING_BACK, "it is being rolled back; wait until it is, then start a new one")
    return None


def _ended(rollout: Rollout) -> Refused:
    return Refused(Refusal.ENDED, f"it is {rollout.state}, and stays so; start a new one")


def _killed(rollout: Rollout) -> Refused:
    return Refused(Refusal.KILLED, f'flag "{rollout.plan.flag}" or its route is killed; release the kill first')


def _not_of_its_own(rollout: Rollout, facts: Facts) -> Refused | None:
    """Refuse to set a share while a kill acts, in a dry run, or over a share that somebody else set."""
    if rollout.plan.dry_run:
        return _dry()
    if facts.killed is not None:
        return _killed(rollout)
    return None if facts.weight == rollout.stages[-1].weight else _unknown_share(rollout, facts.weight)


def _dry() -> Refused:
    told = "the plan is a dry run and moves nobody; set the flag's percentage itself, and abort to end it"
    return Refused(Refusal.DRY_RUN, told)


def _step_with(rollout: Rollout, weight: int | None) -> int | None:
    if rollout.plan.dry_run and weight is not None:
        return rollout.plan.step_below(weight)
    if weight == rollout.stages[-1].weight:
        return rollout.step
    return next((at for at in range(len(rollout.plan.steps)) if rollout.plan.weight_at(at) == weight), None)


def _unknown_share(rollout: Rollout, weight: int | None) -> Refused:
    shares = listed(percent(rollout.plan.weight_at(at)) for at in range(len(rollout.plan.steps)))
    found = "no split between the two sides" if weight is None else f"{percent(weight)}, which is not the rollout's"
    ways = f"set it to a step's share ({shares}) and resume, or roll back, or abort"
    return Refused(Refusal.SHARE_NOT_OF_A_STEP, f'flag "{rollout.plan.flag}" has {found}; {ways}')
