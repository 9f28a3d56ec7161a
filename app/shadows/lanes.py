"""The lanes of shadow calls: breakers of their own, so that no user's call is refused for what a shadow saw."""

from collections.abc import Callable

import structlog

from routers.breaker import Breaker, Transition
from routers.lanes import Lane
from routers.model import Backend, Route
from routers.shadowing import Shadow

log = structlog.get_logger("crossfade.shadow")


class ShadowLanes:
    """One lane for each backend that was asked, new when its address or breaker changes."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._lanes: dict[tuple[str, str], tuple[Backend, Lane]] = {}

    def of(self, route: Route, name: str, shadow: Shadow) -> Lane:
        """Return the lane to a backend of a route."""
        backend = route.backends[name]
        made_for, lane = self._lanes.get((route.name, name), (None, None))
        if lane is None or made_for is None or (made_for.url, made_for.breaker) != (backend.url, backend.breaker):
            breaker = Breaker(backend.breaker, self._chance, _told(route.name, name))
            # no shadow is a fallback, so that limit is never met
            lane = Lane(name, breaker, shadow.max_concurrency, shadow.max_concurrency)
        lane.max_concurrency = shadow.max_concurrency
        self._lanes[route.name, name] = backend, lane
        return lane


def _told(route: str, backend: str) -> Callable[[Transition], None]:
    def tell(change: Transition) -> None:
        log.warning("shadow breaker changed", route=route, backend=backend, after=change.after, why=change.why)

    return tell
