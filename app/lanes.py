"""The lanes to every backend of every route, which outlive changes of the documents."""

import hashlib
from collections.abc import Callable, Iterator, Mapping

import structlog

from app.metrics import Metrics
from routers.breaker import Breaker, State, Transition
from routers.lanes import Lane
from routers.model import Backend, Route
from routers.shared_breaker import SharedBreaker

log = structlog.get_logger("crossfade.breaker")


class LaneBook:
    """One lane for each backend of each route.

    A lane is new when its backend's address or breaker changes; what a person forced stays forced all the same.
    With `hurry`, its breaker acts as one with those of the other processes, and `hurry` brings them together at once.
    `opened` is told of a breaker that opens, by route and backend.
    """

    def __init__(
        self,
        metrics: Metrics,
        chance: Callable[[], float],
        monotonic: Callable[[], float],
        hurry: Callable[[SharedBreaker], None] | None = None,
        opened: Callable[[str, str], None] = lambda _route, _backend: None,
    ) -> None:
        self._metrics = metrics
        self._chance = chance
        self._monotonic = monotonic
        self._hurry = hurry
        self._opened = opened
        self._lanes: dict[str, dict[str, Lane]] = {}
        self._made_for: dict[tuple[str, str], Backend] = {}

    def of(self, route: str) -> Mapping[str, Lane]:
        """Return the lanes of a route by backend. Raises KeyError for an unknown route."""
        return self._lanes[route]

    def shared(self) -> Iterator[SharedBreaker]:
        """Give every breaker that acts as one with those of other processes."""
        breakers = (lane.breaker for lanes in self._lanes.values() for lane in lanes.values())
        return (each for each in breakers if isinstance(each, SharedBreaker))

    def sync(self, routes: Mapping[str, Route]) -> None:
        """Make the lanes that are missing and forget those whose backend is gone."""
        for name in self._lanes.keys() - routes.keys():
            for backend in self._lanes.pop(name):
                self._made_for.pop((name, backend), None)
                self._metrics.forget_lane(name, backend)
        for route in routes.values():
            before = self._lanes.get(route.name, {})
            self._lanes[route.name] = {
                name: self._kept(before.get(name), route, name, backend) for name, backend in route.backends.items()
            }
            for backend in before.keys() - route.backends.keys():
                self._metrics.forget_lane(route.name, backend)

    def _kept(self, before: Lane | None, of: Route, name: str, backend: Backend) -> Lane:
        route, max_fallbacks = of.name, of.fallback.max_concurrency
        made_for = self._made_for.get((route, name))
        self._made_for[route, name] = backend
        if before and made_for and (made_for.url, made_for.breaker) == (backend.url, backend.breaker):
            before.max_concurrency = backend.max_concurrency
            before.max_fallbacks = max_fallbacks
            return before
        self._metrics.show_breaker(route, name, State.CLOSED)
        breaker = self._breaker(route, name, backend)
        if before:
            _hold_on(before.breaker, breaker, self._monotonic())
        lane = Lane(name, breaker, backend.max_concurrency, max_fallbacks)
        self._metrics.show_in_flight(route, name, lambda: lane.in_flight)
        return lane

    def _breaker(self, route: str, name: str, backend: Backend) -> Breaker:
        observe = _observer(self._metrics, self._opened, route, name)
        if self._hurry is None:
            return Breaker(backend.breaker, self._chance, observe)
        return SharedBreaker(backend.breaker, self._chance, observe, _name_of(route, name, backend), self._hurry)


def _name_of(route: str, name: str, backend: Backend) -> str:
    """Name a breaker in the fleet: what protects another address, or by other rules, is another one."""
    told = f"{route}\n{name}\n{backend.url}\n{backend.breaker.model_dump_json()}"
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _hold_on(before: Breaker, after: Breaker, now: float) -> None:
    if isinstance(before, SharedBreaker) and isinstance(after, SharedBreaker):
        after.take_place_of(before, now)
        return
    match before.status(now).state:
        case State.FORCED_OPEN:
            after.force_open(now)
        case State.FORCED_CLOSED:
            after.force_closed(now)


def _observer(
    metrics: Metrics, opened: Callable[[str, str], None], route: str, backend: str
) -> Callable[[Transition], None]:
    def observe(change: Transition) -> None:
        metrics.breaker_moved(route, backend, change.after)
        if change.after is State.OPEN:
            opened(route, backend)
        log.warning(
            "breaker changed", route=route, backend=backend, before=change.before, after=change.after, why=change.why
        )

    return observe
