"""The flags that have done their work, one after the other, and what stands on each."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from app.housekeeping.lives import evaluations, lives
from app.refresh import State
from app.stores.evaluated import Evaluated
from app.stores.records import Store
from flags.model import Flag
from flags.prerequisites import dependants
from flags.stale import Life, StaleReason, stale

AT_ONCE = 200
"""Flags that are asked about together."""


class Ground(NamedTuple):
    """What is asked: the state in force, the journal, and when flags were evaluated."""

    state: State
    store: Store
    kept: Evaluated


class Needs(NamedTuple):
    """What stands on a flag, which therefore cannot just be deleted: flags and routes, and a rollout that steers it."""

    flags: list[str]
    routes: list[str]
    rollouts: list[str]


NOTHING = Needs([], [], [])


class StaleFlag(NamedTuple):
    """A flag, why it is stale, and what is known of its life."""

    flag: Flag
    reasons: Sequence[StaleReason]
    life: Life
    needed_by: Needs


async def stale_flags(
    ground: Ground, now: datetime, days: float, after: str = "", *, by_name: bool = False
) -> AsyncIterator[StaleFlag]:
    """Yield the stale flags by key, those behind `after`; `by_name` counts no evaluations in bulk.

    Raises StoreUnavailableError.
    """
    state = ground.state
    needs = _needs(state)
    found = await evaluations(state, ground.kept, by_name=by_name)
    flags = sorted((flag for flag in state.flags.values() if flag.key > after), key=lambda flag: flag.key)
    for start in range(0, len(flags), AT_ONCE):
        some = flags[start : start + AT_ONCE]
        known = await lives(state, ground.store, some, found, now)
        for flag in some:
            life = known[flag.key]
            if reasons := stale(flag, life, now, days):
                yield StaleFlag(flag, reasons, life, needs.get(flag.key, NOTHING))


def _needs(state: State) -> Mapping[str, Needs]:
    routes: dict[str, list[str]] = defaultdict(list)
    for route in state.routes.values():
        routes[route.flag].append(route.name)
    rollouts = {rollout.plan.flag: [rollout.id] for rollout in state.steered.values()}
    flags = {key: [flag.key for flag in those] for key, those in dependants(state.flags).items()}
    return {
        key: Needs(sorted(flags.get(key, [])), sorted(routes.get(key, [])), rollouts.get(key, []))
        for key in {*flags, *routes, *rollouts}
    }
