"""What can be said of a rollout by whoever is asked, leader or not: from what is kept."""

import structlog

from app.clock import Clock
from app.refresh import State
from app.steering.following import statistics_of
from app.steering.telling import Progress, progress_of
from app.stores.records import Collection, Store, StoreUnavailableError
from app.stores.steering import Steering
from rollouts.fold import judged
from rollouts.model import Rollout
from rollouts.plan import Plan

log = structlog.get_logger("crossfade.steering")


async def progress(kept: Steering, rollout: Rollout, clock: Clock) -> tuple[Progress | None, str]:
    """Return how far a rollout is by the statistics that are kept, or None and why not."""
    if not rollout.stages:
        return None, ""
    try:
        statistics = statistics_of(rollout, await kept.statistics(rollout.id))
        statistics.close(clock.wall())
        return progress_of(rollout, *judged(statistics, rollout), clock.now()), ""
    except StoreUnavailableError as error:
        return None, f"the statistics cannot be read now: {error}"
    except Exception as error:
        # whoever looks at a rollout that fails needs the rest of it most
        log.exception("the progress of a rollout cannot be told", rollout=rollout.id)
        return None, f"the statistics cannot be judged: {error}"


async def numbered(store: Store, state: State, plan: Plan) -> int:
    """Return the number of a plan's next rollout: none that there ever was, since outcomes carry it in their id.

    Raises StoreUnavailableError.
    """
    numbers = (rollout.number for rollout in state.rollouts.values() if rollout.plan.name == plan.name)
    number = max(numbers, default=0) + 1
    while await store.journal(collection=Collection.ROLLOUT, key=f"{plan.name}-{number}", before=None, limit=1):
        number += 1
    return number
