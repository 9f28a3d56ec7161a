"""Carry one call through its plan: one loop over the backends, under one deadline."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .attempts import Attempt, Dispatched
from .call import Answer, Call, Send, SendError
from .causes import UNSENT, Cause
from .garbage import is_garbage
from .hops import DEADLINE_HEADER, SAFE_METHODS
from .lanes import Ending, Lane
from .model import Backend, Profile, Replay, Route
from .patience import Within
from .plan import Plan
from .stays import Stay
from .streams import Stream, close

_REFUSED = {
    Cause.BREAKER_OPEN: "the breaker is open",
    Cause.SLOW_START: "the breaker has just closed and admits a share of the calls",
    Cause.CONCURRENCY: "max_concurrency calls are on the way",
    Cause.FALLBACK_CONCURRENCY: "fallback.max_concurrency calls that fell back are on the way",
}


async def dispatch(
    route: Route, plan: Plan, call: Call, lanes: Mapping[str, Lane], send: Send, clock: Callable[[], float]
) -> Dispatched:
    """Offer the call to the backends of `plan.order` until one answers or its deadline is over.

    - The deadline is `route.deadline_ms`, or what the caller waits if that is less; a backend that is late only for the
      caller's sake is not blamed.
    - A refused permit, SendError, 5xx and 429 lead to the next backend; every other answer is handed back.
    - While an upload waits for its caller, neither the deadline nor a backend's time runs.
    - A call that a backend may have seen is offered again only if `may_repeat` says so.
    - A 5xx or 429 is handed back as it is when no other backend was asked and none is going to be.
    - An answer with a `rest` stays in its lane until its end, under the limits of `Stream`.
    - Whatever else `send` raises passes through, cancellation too, and counts neither for nor against the backend.

    `clock` is seconds on a monotonic clock, at the pace of the event loop's.
    """
    given_s = route.deadline_ms / 1000
    saved_s = 0.0 if call.within_s is None else max(0.0, given_s - call.within_s)
    deadline = clock() + given_s - saved_s
    repeatable = may_repeat(route, call.method)
    attempts: list[Attempt] = []
    asked = 0
    for position, name in enumerate(plan.order, start=1):
        now = clock()
        left_s = deadline - now if call.upload is None else deadline - now + call.upload.waited_s()
        if left_s <= 0:
            break
        lane = lanes[name]
        permit = lane.enter(now, last_resort=position == len(plan.order), fell_back=position > 1)
        if isinstance(permit, Cause):
            attempts.append(Attempt(name, permit, None, 0.0, _REFUSED[permit]))
            continue
        asked += 1
        is_last = position == len(plan.order) or not repeatable
        backend = route.backends[name]
        limit_s = time_limit_s(backend, left_s, is_last=is_last)
        hurries = saved_s > 0 and limit_s < time_limit_s(backend, left_s + saved_s, is_last=is_last)
        ask = _Ask(name, limit_s, Ending.NEUTRAL if hurries else Ending.FAILED, is_last and asked == 1)
        attempt, answer = await _visit(Stay(lane, permit, now, clock, call.upload), route, ask, call, send)
        attempts.append(attempt)
        if answer is not None:
            return Dispatched(answer, name, tuple(attempts))
        if attempt.cause not in UNSENT and not repeatable:
            break
    return Dispatched(None, None, tuple(attempts))


def may_repeat(route: Route, method: str) -> bool:
    """Whether a call may be sent again that may already have had an effect."""
    return route.replay is Replay.ALWAYS or (route.replay is Replay.SAFE and method in SAFE_METHODS)


def time_limit_s(backend: Backend, left_s: float, *, is_last: bool) -> float:
    """Return how many of the `left_s` seconds one attempt gets: its own limit, if it has one.

    Without one that is shorter, all for the last, and half for another, so that a backend that hangs never eats its
    fallback's time.
    """
    if backend.timeout_ms is not None and backend.timeout_ms / 1000 < left_s:
        return backend.timeout_ms / 1000
    return left_s if is_last else left_s / 2


class _Ask(NamedTuple):
    """Whom to ask for how long, how it ends when that is over, and whether nobody else was asked or will be."""

    name: str
    limit_s: float
    late: Ending
    alone: bool


async def _visit(stay: Stay, route: Route, ask: _Ask, call: Call, send: Send) -> tuple[Attempt, Answer | None]:
    """Ask one backend, and leave its lane in every case but that of a stream, which leaves it at its end."""
    try:
        answer = await _answer(route, ask, call, send)
    except SendError as error:
        attempt = stay.attempt(error.cause, None, error.detail)
        stay.end(ask.late if error.cause is Cause.TIMEOUT else Ending.FAILED)
        return attempt, None
    except BaseException:
        stay.end(Ending.NEUTRAL)
        raise
    ending = _ending(answer.status)
    attempt = stay.attempt(Cause.STATUS if ending is Ending.FAILED else None, answer.status)
    if ending is Ending.FAILED and not ask.alone:
        stay.end(ending)
        await close(answer.rest)
        return attempt, None
    if answer.rest is None:
        stay.end(ending)
    else:
        answer.rest = Stream(answer.rest, stay, route, ending)
    return attempt, answer


async def _answer(route: Route, ask: _Ask, call: Call, send: Send) -> Answer:
    """Raise `SendError` for no answer, a late one and garbage; the backend is told when it would be late."""
    within = (DEADLINE_HEADER, b"%d" % max(1, ask.limit_s * 1000))
    told = Call(call.method, call.path, [*call.headers, within], call.body, ask.limit_s, call.upload)
    try:
        async with Within(ask.limit_s, call.upload):
            answer = await send(route.backends[ask.name], told)
    except TimeoutError:
        raise SendError(Cause.TIMEOUT, f"no answer within {ask.limit_s * 1000:.0f} ms") from None
    if route.profile is not Profile.RAW and _ending(answer.status) is not Ending.FAILED and is_garbage(answer):
        raise SendError(Cause.GARBAGE, f"status {answer.status} with a body that is not the JSON it says it is")
    return answer


def _ending(status: int) -> Ending:
    """Say what an HTTP status tells about the backend."""
    if status < 400:
        return Ending.OK
    return Ending.FAILED if status >= 500 or status == 429 else Ending.NEUTRAL
