"""What is true of a rollout now, without statistics: its flag, kills, and the new side's breaker."""

from collections.abc import Callable, Iterable
from datetime import datetime

from app.lanes import LaneBook
from app.refresh import State
from flags.effective import effective
from flags.model import Flag
from rollouts.evidence import Facts
from rollouts.model import Rollout
from rollouts.starting import Ground, weight_in_force
from routers.breaker import State as BreakerState

REFUSING = frozenset({BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.FORCED_OPEN})
"""What a breaker is in from its first trip until it lets calls in again that are no probes."""


class BreakerWatch:
    """For how long the new sides' breakers have been refusing; every process looks, so that a new leader knows.

    In a fleet that shares its breakers each process sees the fleet's.
    """

    def __init__(self, lanes: LaneBook, monotonic: Callable[[], float]) -> None:
        self._lanes = lanes
        self._monotonic = monotonic
        self._since: dict[str, float] = {}

    def look(self, rollouts: Iterable[Rollout]) -> None:
        """Note which of the new sides are refused now; those of other rollouts are forgotten."""
        now = self._monotonic()
        refused = [rollout.id for rollout in rollouts if self._is_refused(rollout, now)]
        self._since = {each: self._since.get(each, now) for each in refused}

    def open_s(self, rollout: Rollout) -> float:
        """Return for how many seconds the new side has been refused, 0 when it is not."""
        since = self._since.get(rollout.id)
        return 0.0 if since is None else self._monotonic() - since

    def _is_refused(self, rollout: Rollout, now: float) -> bool:
        try:
            lane = self._lanes.of(rollout.plan.route)[rollout.variant or ""]
        except KeyError:
            return False
        return lane.breaker.status(now).state in REFUSING


def facts_of(state: State, rollout: Rollout, now: datetime, breaker_open_s: float = 0.0) -> Facts:
    """Gather what is true of a rollout in a state."""
    flag = flag_in_force(state, rollout, now)
    return Facts(
        flag_version=flag.version if flag else 0,
        weight=weight_in_force(flag, rollout),
        changed_by=(flag.updated_by if flag else None) or "",
        killed=killed_why(state, rollout),
        breaker_open_s=breaker_open_s,
    )


def ground_of(state: State, rollout: Rollout, now: datetime) -> Ground:
    """Gather what a start stands on."""
    route = state.routes.get(rollout.plan.route)
    return Ground(
        flag=flag_in_force(state, rollout, now),
        route_flag=route.flag if route else None,
        backends=tuple(route.backends) if route else (),
        killed=killed_why(state, rollout) is not None,
        others=[each for each in state.rollouts.values() if each.id != rollout.id],
        now=now,
    )


def flag_in_force(state: State, rollout: Rollout, now: datetime) -> Flag | None:
    """Return the rollout's flag as its schedule has made it by now, None when there is no such flag."""
    flag = state.ruleset.document(rollout.plan.flag)
    return None if flag is None else effective(flag, now.timestamp())


def killed_why(state: State, rollout: Rollout) -> str | None:
    """Say by whom and why the flag or the route is killed, None when neither is."""
    flag, route = rollout.plan.flag, rollout.plan.route
    if not (state.ruleset.is_killed(flag) or state.ruleset.killed.reaches_route(route)):
        return None
    scopes = ("all", f"flag:{flag}", f"route:{route}")
    kill = next((each for each in state.kills.values() if each.scope in scopes), None)
    if kill is None:
        return "nobody says by whom"
    return f'by {kill.actor} (scope "{kill.scope}")' + (f": {kill.reason}" if kill.reason else "")
