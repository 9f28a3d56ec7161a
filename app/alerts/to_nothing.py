"""A rollback without statistics: nobody gets the growing side by chance any more."""

from collections.abc import Sequence

from app.alerts.acting import RollBack
from app.auth import ALERT_ID
from app.changes import By, Changes, Wanted
from app.errors import Code, ProblemError
from app.refresh import State
from app.stores.records import Collection
from flags.percentage import PercentageError, rolled_out


def to_nothing(changes: Changes) -> RollBack:
    """Return what sets the percentage of a route's rollout to 0."""

    async def roll_back(route: str, why: str) -> None:
        await changes.decide_and_make(lambda state: _at_nothing(state, route), By(ALERT_ID, why))

    return roll_back


def _at_nothing(state: State, route: str) -> Sequence[Wanted]:
    rollout = state.steered.get(route)
    flag = None if rollout is None else state.flags.get(rollout.plan.flag)
    if rollout is None or flag is None:
        raise ProblemError(409, Code.IN_USE, f'no rollout of the route "{route}" is active')
    try:
        lowered = rolled_out(flag, 0, rollout.variant)
    except PercentageError as error:
        raise ProblemError(422, Code.INVALID_REQUEST, str(error)) from error
    return [Wanted(Collection.FLAG, flag.key, lowered, flag.version)]
