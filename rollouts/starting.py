"""What a start checks and freezes, and how a rollout stands in its flag."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from flags.bucketing import BUCKETS
from flags.model import Flag
from flags.percentage import growing_variant, weight_of_variant
from flags.serve import Share
from rollouts.cohorts import applied, other_rules, withdrawn
from rollouts.model import Rollout, RolloutState
from rollouts.moves import Move, MoveKind, Sides
from rollouts.plan import Plan
from rollouts.refusals import Refusal, Refused
from rollouts.wording import listed, percent, when

MOST_RULES = 256
"""A flag has so many rules at most."""


class Ground(NamedTuple):
    """What a start stands on: the flag and the route as they are, whether a kill reaches them, and the other rollouts.

    `flag` is as its schedule has made it by `now`; what is left in its schedule is to come, or runs. `route_flag` and
    `backends` are of the plan's route, None and empty for none.
    """

    flag: Flag | None
    route_flag: str | None
    backends: tuple[str, ...]
    killed: bool
    others: Sequence[Rollout]
    now: datetime


def starting(rollout: Rollout, why: str, ground: Ground) -> Move | Refused:
    """Return the start of a draft with its sides resolved, or why it cannot start."""
    refused = next(_obstacles(rollout.plan, ground), None)
    if refused is not None or ground.flag is None:
        return refused or Refused(Refusal.UNKNOWN_FLAG, "create the flag first")
    flag, plan = ground.flag, rollout.plan
    sides = sides_of(plan, flag)
    move = Move(MoveKind.START, 0, RolloutState.RUNNING, why, sides=sides)
    if not plan.dry_run:
        return move
    in_force = weight_of_variant(flag, sides.variant)
    return move._replace(step=plan.step_below(in_force), in_force=in_force)


def sides_of(plan: Plan, flag: Flag) -> Sides:
    """Return the plan's new side, else the flag's growing one, with the off variant as control."""
    return Sides(plan.variant or growing_variant(flag), flag.off_variant, flag.hashes[0])


def _obstacles(plan: Plan, ground: Ground) -> Iterator[Refused]:
    if ground.flag is None:
        yield Refused(Refusal.UNKNOWN_FLAG, f'there is no flag "{plan.flag}"; create it first')
        return
    if ground.route_flag is None:
        yield Refused(Refusal.UNKNOWN_ROUTE, f'there is no route "{plan.route}"; create it first')
    elif ground.route_flag != plan.flag:
        told = f'route "{plan.route}" follows flag "{ground.route_flag}", not "{plan.flag}"'
        yield Refused(Refusal.FLAG_NOT_OF_ROUTE, told)
    yield from _others_in_the_way(plan, ground)
    if ground.killed:
        yield Refused(Refusal.KILLED, f'flag "{plan.flag}" or route "{plan.route}" is killed; release the kill first')
    if not ground.flag.enabled:
        yield Refused(Refusal.FLAG_DISABLED, f'flag "{plan.flag}" is disabled; enable it first')
    if ground.flag.schedule:
        entry = ground.flag.schedule[0]
        told = f'flag "{plan.flag}" has a schedule ({entry.told()}, {when(entry.at)}), and one of them has to steer it'
        yield Refused(Refusal.SCHEDULED, f"{told}; clear the schedule (DELETE /flags/{plan.flag}/schedule) first")
    yield from _unfit(plan, ground.flag, ground.backends)


def _others_in_the_way(plan: Plan, ground: Ground) -> Iterator[Refused]:
    for other in ground.others:
        if other.is_active and (other.plan.flag == plan.flag or other.plan.route == plan.route):
            shared = f'flag "{other.plan.flag}" and route "{other.plan.route}"'
            yield Refused(Refusal.BUSY, f'rollout "{other.id}" of {shared} is {other.state}; end it first')
        if other.plan.flag == plan.flag and other.cool_until is not None and ground.now < other.cool_until:
            told = f'rollout "{other.id}" was rolled back; flag "{plan.flag}" cools down until {when(other.cool_until)}'
            yield Refused(Refusal.COOLING_DOWN, told)


def _unfit(plan: Plan, flag: Flag, backends: tuple[str, ...]) -> Iterator[Refused]:
    variant, control, unit = sides_of(plan, flag)
    if variant not in flag.variants or variant == control:
        told = f'variant "{variant}" must be one of {listed(flag.variants)}, and not the off variant "{control}"'
        yield Refused(Refusal.UNFIT_VARIANT, told)
        return
    missing = [name for name in (variant, control) if name not in backends]
    if missing:
        yield Refused(Refusal.UNFIT_VARIANT, f'"{missing[0]}" is none of the backends {listed(backends)}')
    if plan.unit is not None and plan.unit != unit:
        told = f'the plan counts by "{plan.unit}", flag "{flag.key}" hashes "{unit}"; make them the same'
        yield Refused(Refusal.OTHER_UNIT, told)
    unfit = _why_not_two_sided(flag, variant, control)
    if unfit is not None:
        yield Refused(Refusal.UNFIT_FLAG, unfit)
    if len(other_rules(flag, plan)) + len(plan.cohorts) > MOST_RULES:
        yield Refused(Refusal.UNFIT_FLAG, f"with the cohorts the flag would have more than {MOST_RULES} rules")
    split = flag.default.split
    if plan.dry_run and (split is None or split[0].variant != variant):
        told = (
            f'a dry run moves nobody, and flag "{flag.key}" does not split with "{variant}" first; set its percentage'
        )
        yield Refused(Refusal.UNFIT_FLAG, told)
    share, first = weight_of_variant(flag, variant), plan.weight_at(0)
    if share > first and not plan.dry_run:
        told = f'"{variant}" has {percent(share)} already, more than the first step\'s {percent(first)}; lower it first'
        yield Refused(Refusal.SHARE_ABOVE_FIRST_STEP, told)


def _why_not_two_sided(flag: Flag, variant: str, control: str) -> str | None:
    """Say why callers by chance would not be those of the two sides alone, None when they are."""
    shares = flag.default.split or (Share(variant=flag.default.variant or control, weight=BUCKETS),)
    strange = [share for share in shares if share.variant not in {variant, control}]
    third = next((share.variant for share in strange if share.weight or share.among_the_rest()), None)
    if third is not None:
        return f'the default gives a share to "{third}", which is neither side'
    split = next((rule.name for rule in flag.rules if rule.serve.split is not None), None)
    return None if split is None else f'rule "{split}" splits too, and its callers could not be told from the others'


def weight_in_force(flag: Flag | None, rollout: Rollout) -> int | None:
    """Return the new side's random share, in hundred-thousandths, as facts want it.

    None for a flag that is gone or disabled, hashes something else, or does not split between the two sides alone.
    """
    variant, control = rollout.variant, rollout.control
    if flag is None or not flag.enabled or flag.hashes[0] != rollout.unit or variant is None or control is None:
        return None
    split = flag.default.split
    if split is None or split[0].variant != variant or _why_not_two_sided(flag, variant, control) is not None:
        return None
    return split[0].weight


def flag_after(flag: Flag, rollout: Rollout, move: Move) -> Flag | None:
    """Return the flag as a move wants it, None when it is so already or the move does not touch it."""
    weight = move.weight(rollout)
    variant = rollout.variant if move.sides is None else move.sides.variant
    if weight is None or variant is None:
        return None
    if move.kind is MoveKind.ROLL_BACK:
        after = withdrawn(flag, rollout.plan, variant)
    else:
        after = applied(flag, rollout.plan, variant, rollout.plan.steps[move.step].percentage)
    return None if after == flag else after
