"""Shadow calls: started after the caller has his answer, few at a time, and dropped rather than waited for."""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from functools import partial

import structlog

from app.clock import Clock
from app.lanes import LaneBook
from app.metrics import Metrics
from app.refresh import Live
from app.shadows.account import Account
from app.shadows.judge import Judge
from app.shadows.lanes import ShadowLanes
from app.shadows.watched import Room, Watched
from flags.names import Reason
from routers.attempts import Dispatched
from routers.call import Call, Send
from routers.causes import UNSENT
from routers.compare.reading import MOST_BYTES
from routers.model import Route
from routers.pairs import is_sampled, is_sampled_twice, pair_of
from routers.plan import Plan
from routers.shadow import Reply, ask, is_shadow, shadow_call

log = structlog.get_logger("crossfade.shadow")

MOST_HELD = 64 << 20
"""How many bytes of requests and answers are kept at once in this process."""


class Why(StrEnum):
    """Why a sampled call is not asked of the other side."""

    QUEUE_FULL = "queue_full"
    MEMORY = "memory"
    TOO_LARGE = "too_large"
    INCOMPLETE = "incomplete"
    UNSUITABLE = "unsuitable"
    FELL_BACK = "fell_back"
    BREAKER_OPEN = "breaker_open"
    WITHDRAWN = "withdrawn"
    STOPPING = "stopping"
    ERROR = "error"


class Shadows:
    """The shadow calls of this process; one `async with` for each instance.

    `begin` and `answered` are synchronous, never wait and never raise: what finds no place is dropped, and counted, and
    what goes wrong here is nothing to the caller.
    """

    def __init__(
        self,
        live: Live,
        lanes: LaneBook,
        send: Send,
        judge: Judge,
        account: Account,
        metrics: Metrics,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._live = live
        self._real_lanes = lanes
        self._lanes = ShadowLanes(chance)
        self._send = send
        self._judge = judge
        self._account = account
        self._metrics = metrics
        self._clock = clock
        self._waiting: dict[str, deque[Watched]] = {}
        self._running: dict[str, set[asyncio.Task[None]]] = {}
        self.room = Room(MOST_HELD)
        self._is_closed = False

    @property
    def under_way(self) -> int:
        """How many calls are asked or compared now."""
        return sum(map(len, self._running.values()))

    @property
    def bench(self) -> int | None:
        """The process that compares, None while there is none."""
        return self._judge.pid

    async def close(self) -> None:
        """Drop what waits, cancel what runs, and end the process that compares."""
        self._is_closed = True
        for waiting in self._waiting.values():
            while waiting:
                self._drop(waiting.popleft(), Why.STOPPING)
        tasks = [task for running in self._running.values() for task in running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._judge.close()

    def begin(self, route: Route, decision_id: str, chosen: Plan, call: Call, carried: Dispatched) -> Watched | None:
        """Keep what is to be compared of a call that is about to be answered; None for one that is not shadowed."""
        try:
            return self._begin(route, decision_id, chosen, call, carried)
        except Exception:
            log.exception("shadow failed before it began", route=route.name, decision_id=decision_id)
            return None

    def _begin(self, route: Route, decision_id: str, chosen: Plan, call: Call, carried: Dispatched) -> Watched | None:
        shadow, answer, served = route.shadow, carried.answer, carried.backend
        if shadow is None or answer is None or served is None or not is_sampled(route.name, decision_id, shadow.sample):
            return None
        pair = pair_of(route, served)
        was_asked = bool(carried.attempts)
        if pair is None or not was_asked or chosen.reason is Reason.KILLED or is_shadow(call.headers):
            return None
        watched = Watched(route, shadow, pair, decision_id, _at_hand(call), carried, answer, self.room)
        why = _unfit(watched, chosen, served, answer.status)
        if why is not None:
            self._drop(watched, why)
            return None
        watched.follow()
        return watched

    def answered(self, watched: Watched) -> None:
        """Ask the other side as soon as there is room; the caller has his answer, or has left."""
        try:
            self._enter(watched)
        except Exception:
            watched.release()
            log.exception("shadow failed", route=watched.route.name, decision_id=watched.id)

    def _enter(self, watched: Watched) -> None:
        why = self._refusal(watched)
        if why is not None:
            self._drop(watched, why)
            return
        self._waiting.setdefault(watched.route.name, deque()).append(watched)
        self._start_next(watched.route.name, watched.shadow.max_concurrency)

    def _refusal(self, watched: Watched) -> Why | None:
        if self._is_closed:
            return Why.STOPPING
        if not watched.is_whole:
            return Why.INCOMPLETE
        if watched.is_too_large:
            return Why.TOO_LARGE
        if watched.is_crowded_out:
            return Why.MEMORY
        name, shadow = watched.route.name, watched.shadow
        is_busy = len(self._running.get(name, ())) >= shadow.max_concurrency
        is_full = is_busy and len(self._waiting.get(name, ())) >= shadow.queue
        return Why.QUEUE_FULL if is_full else None

    def _start_next(self, name: str, most: int) -> None:
        waiting, running = self._waiting[name], self._running.setdefault(name, set())
        while waiting and len(running) < most:
            watched = waiting.popleft()
            task = asyncio.create_task(self._see_through(watched))
            running.add(task)
            task.add_done_callback(partial(self._ended, watched))

    def _ended(self, watched: Watched, task: asyncio.Task[None]) -> None:
        name = watched.route.name
        self._running[name].discard(task)
        if task.cancelled():
            self._drop(watched, Why.STOPPING)
            return
        error = task.exception()
        if error is not None:
            log.error("shadow failed", route=name, decision_id=watched.id, exc_info=error)
            self._drop(watched, Why.ERROR)
        watched.release()
        self._start_next(name, watched.shadow.max_concurrency)

    async def _see_through(self, watched: Watched) -> None:
        pair = watched.pair
        first = watched.reply()
        asked = pair.candidate if watched.served_by_control else pair.control
        other = await self._ask(watched, asked, watched.id)
        if isinstance(other, Why):
            self._drop(watched, other)
            return
        control, candidate = (first, other) if watched.served_by_control else (other, first)
        second = None
        is_wanted = is_sampled_twice(watched.route.name, watched.id, watched.shadow.control_sample)
        if is_wanted and control.cause is None and candidate.cause is None:
            second = await self._ask(watched, pair.control, f"{watched.id}-again")
        await self._account.settle(watched, control, candidate, None if isinstance(second, Why) else second)

    async def _ask(self, watched: Watched, name: str, key: str) -> Reply | Why:
        """Ask one backend, and count what that cost; or say why it is not asked."""
        route, now = watched.route, self._clock.monotonic()
        if not self._is_in_force(route):
            return Why.WITHDRAWN
        lane = self._lanes.of(route, name, watched.shadow)
        if self._real_lanes.of(route.name)[name].breaker.refusal(now) or lane.refusal(now):
            return Why.BREAKER_OPEN
        limit_s = (watched.shadow.timeout_ms or route.deadline_ms) / 1000
        call = shadow_call(watched.call, key, limit_s)
        reply = await ask(lane, route.backends[name], call, limit_s, self._send, self._clock.monotonic)
        if reply.cause not in UNSENT:
            self._account.count_cost(watched, name, reply, len(call.body))
        self._metrics.count_shadow(route.name, name, reply.cause or "answered", reply.seconds)
        return reply

    def _is_in_force(self, route: Route) -> bool:
        """Say whether the route still stands as it was when the call was answered, and nobody has killed it since."""
        state = self._live.state
        is_killed = state.ruleset.killed.reaches_route(route.name) or state.ruleset.is_killed(route.flag)
        found = state.routes.get(route.name)
        return (found is route or found == route) and not is_killed

    def _drop(self, watched: Watched, why: Why) -> None:
        watched.release()
        self._metrics.count_shadow_dropped(watched.route.name, why)
        self._account.count_drop(watched, why)


def _at_hand(call: Call) -> Call:
    """Return the call with its whole body, if that was carried as it came and is here now."""
    body = None if call.upload is None else call.upload.whole(MOST_BYTES)
    return call if body is None else call._replace(body=body, upload=None)


def _unfit(watched: Watched, chosen: Plan, served: str, status: int) -> Why | None:
    """Say why an answer cannot be compared: another side failed first, or it is a part of one, or none at all."""
    if served != chosen.decided:
        return Why.FELL_BACK
    is_whole_answer = 200 <= status < 300 and status != 206
    is_refusal = 400 <= status < 500 and status != 429
    if not is_whole_answer and not is_refusal:
        return Why.UNSUITABLE
    return Why.TOO_LARGE if watched.is_too_large or watched.call.upload is not None else None
