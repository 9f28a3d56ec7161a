"""What an active rollout stands on: its flag and its route may change, but not so that it is about something else."""

from collections.abc import Iterator, Sequence

from app.errors import Code, ProblemError
from app.refresh import State
from app.stores.records import Collection
from flags.effective import effective
from flags.model import Flag
from flags.serve import Serve
from rollouts.model import Rollout
from routers.model import Route

FROZEN = ("salt", "bucket_by", "bucketing", "off_variant")
"""Fields of a flag that say who is on which side: changed in mid-rollout, people would be counted on both."""


def check_steered(before: State, after: State, changed: Sequence[tuple[Collection, str]], now: float) -> None:
    """Refuse changes that pull the ground from under an active rollout, and a second one on the same ground.

    `now` is in seconds since 1970: what a schedule has done by then is as if somebody had.
    """
    active = [rollout for rollout in after.rollouts.values() if rollout.is_active]
    for rollout in active:
        plan = rollout.plan
        faults: list[str] = []
        if (Collection.FLAG, plan.flag) in changed:
            was, will_be = (each.ruleset.document(plan.flag) for each in (before, after))
            faults += _flag_faults(rollout, was, will_be, now)
        if (Collection.ROUTE, plan.route) in changed:
            faults += _route_faults(rollout, after.routes.get(plan.route))
        if faults:
            _refuse(rollout, faults[0])
        if (Collection.ROLLOUT, rollout.id) in changed:
            _check_alone(rollout, active)


def _flag_faults(rollout: Rollout, before: Flag | None, after: Flag | None, now: float) -> Iterator[str]:
    if after is None:
        yield f'flag "{rollout.plan.flag}" cannot be deleted'
        return
    for side in (rollout.variant, rollout.control):
        if side not in after.variants:
            yield f'the variant "{side}" cannot be taken from flag "{after.key}"'
    for field in FROZEN:
        if before is not None and getattr(before, field) != getattr(after, field):
            yield f'{field} of flag "{after.key}" cannot be changed'
    if before is not None and _are_placed_anew(effective(before, now).default, effective(after, now).default):
        yield f'"by" and "salt" of the default of flag "{after.key}" cannot be changed'
    to_come = effective(after, now).schedule
    if to_come and (before is None or effective(before, now).schedule != to_come):
        yield f'flag "{after.key}" cannot be given a schedule ({to_come[0].told()} at {to_come[0].at.isoformat()})'


def _are_placed_anew(before: Serve, after: Serve) -> bool:
    splits = before.split is not None and after.split is not None
    return splits and (before.by, before.salt) != (after.by, after.salt)


def _route_faults(rollout: Rollout, after: Route | None) -> Iterator[str]:
    if after is None:
        yield f'route "{rollout.plan.route}" cannot be deleted'
        return
    if after.flag != rollout.plan.flag:
        yield f'route "{after.name}" cannot be given another flag'
    for side in (rollout.variant, rollout.control):
        if side not in after.backends:
            yield f'the backend "{side}" cannot be taken from route "{after.name}"'


def _check_alone(rollout: Rollout, active: Sequence[Rollout]) -> None:
    for other in active:
        shared = other.plan.flag == rollout.plan.flag or other.plan.route == rollout.plan.route
        if other.id != rollout.id and shared:
            told = f'rollout "{other.id}" is active on flag "{other.plan.flag}" and route "{other.plan.route}"'
            raise ProblemError(409, Code.ROLLOUT_CONFLICT, f"{told}; let it end, or abort it, first")


def _refuse(rollout: Rollout, fault: str) -> None:
    told = f'{fault} while rollout "{rollout.id}" steers it ({rollout.state})'
    what_to_do = f"abort it (POST /rollouts/{rollout.id}/abort) or let it end, then repeat"
    raise ProblemError(409, Code.ROLLOUT_CONFLICT, f"{told}; {what_to_do}", rollout=rollout.id)
