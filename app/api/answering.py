"""The answer to a carried call: what it says of its way, and what becomes of it besides reaching the caller."""

from typing import NamedTuple

import structlog

from app.api.asgi import Receive, Send
from app.api.reading import read_answer
from app.api.relay import Passing, pass_on, pass_whole
from app.cached import Given, cache_marks
from app.errors import Code, ProblemError
from app.measures.book import Place, place_of
from app.measures.ended import Ended, ended_of
from app.refresh import NO_STEP
from app.shadows.watched import Watched
from app.sticky_tokens import STICKY_HEADER
from app.traffic import Choice
from app.wiring import Services
from flags.names import Reason
from routers.attempts import Dispatched, failure_status, first_cause, retry_after_s
from routers.call import Answer, Call, Headers
from routers.causes import UNSENT
from routers.dispatch import may_repeat
from routers.model import Route
from routers.profiles.signals import NO_SIGNALS, Signals

log = structlog.get_logger("crossfade.route")

LEFT = 499
"""The status of a call whose caller left before the answer, as nginx counts it."""

NOBODY = Dispatched(None, None, ())

_FAILURE = {502: Code.ROUTE_FAILED, 503: Code.ROUTE_UNAVAILABLE, 504: Code.ROUTE_TIMEOUT}


class Exchange(NamedTuple):
    """A call that was carried and is to be answered, and the monotonic time it began at."""

    route: Route
    call: Call
    choice: Choice
    given: Given
    decision_id: str
    began: float


class Passed(NamedTuple):
    """How an answer reached its caller, and what it told of its quality."""

    how: Passing
    signals: Signals = NO_SIGNALS


async def answer(services: Services, exchange: Exchange, receive: Receive, send: Send) -> int:
    """Give the caller what was carried and return its status; the other side is asked only after that.

    Raises ProblemError 502, 503, 504 when no backend answered.
    """
    carried = exchange.given.carried
    marks = _marks(services, exchange) + cache_marks(exchange.given)
    if carried.answer is None:
        failure = _failure(exchange, services.clock.monotonic(), marks)
        _record(services, exchange, failure.status, Passed(Passing.BROKEN))
        raise failure
    watched = _watched(services, exchange)
    try:
        passed = await _pass(services, exchange, carried.answer, marks, receive, send)
    finally:
        if watched is not None:
            services.shadows.answered(watched)
    _record(services, exchange, carried.answer.status, passed)
    return carried.answer.status


async def _pass(
    services: Services, exchange: Exchange, found: Answer, marks: Headers, receive: Receive, send: Send
) -> Passed:
    route, given = exchange.route, exchange.given
    if found.rest is not None:
        bound = log.bind(route=route.name, backend=given.carried.backend, decision_id=exchange.decision_id)
        return Passed(await pass_on(receive, send, found, found.rest, marks, bound))
    signals = NO_SIGNALS
    if route.is_read:
        found, signals = read_answer(services, route, exchange.choice, found, given)
    await pass_whole(send, found, marks)
    return Passed(Passing.WHOLE, signals)


def _record(services: Services, exchange: Exchange, status: int, passed: Passed) -> None:
    """Count the call, and make an outcome of it where its route or a rollout asks for that."""
    route, choice, given = exchange.route, exchange.choice, exchange.given
    ms = (services.clock.monotonic() - exchange.began) * 1000
    how, signals = passed
    is_whole, has_left = how is Passing.WHOLE, how is Passing.LEFT
    ended = ended_of(Ended, (given.carried, status, ms, is_whole, signals, given.result, has_left))
    is_steered, step = route.name in services.live.state.steered, NO_STEP
    if is_steered and choice.plan.reason is Reason.SPLIT:
        step = services.live.state.step_of(route.name, choice.decision.version)
    place = place_of(Place, (route.name, choice.plan.decided, *step))
    services.measures.count_call(place, ended)
    if is_steered or route.record is not None:
        services.outcomes.recorder.record(route, exchange.decision_id, ended)


def note_left(services: Services, route: Route, choice: Choice, began: float) -> None:
    """Make an outcome of a call whose caller did not wait for its answer, if a step of a rollout decided it.

    Without that, a side would be the better the sooner people give up waiting for it.
    """
    rollout, _ = services.live.state.step_of(route.name, choice.decision.version)
    if rollout:
        ms = (services.clock.monotonic() - began) * 1000
        ended = Ended(NOBODY, LEFT, ms, is_whole=False, has_left=True)
        services.outcomes.recorder.record(route, services.traffic.named(route.name, choice, ""), ended)


def _watched(services: Services, exchange: Exchange) -> Watched | None:
    """Return what is to be compared of the call, None for one that is not shadowed, or whose answer was kept."""
    route, choice, given = exchange.route, exchange.choice, exchange.given
    if route.shadow is None or given.age_s is not None:
        return None
    return services.shadows.begin(route, exchange.decision_id, choice.plan, exchange.call, given.carried)


def _marks(services: Services, exchange: Exchange) -> Headers:
    """Say in headers what was decided and what came of it."""
    choice, carried = exchange.choice, exchange.given.carried
    marks = [
        (b"x-crossfade-variant", choice.plan.decided.encode()),
        (b"x-crossfade-reason", choice.plan.reason.encode()),
        (b"x-crossfade-flag-version", str(choice.decision.version).encode()),
        (b"x-crossfade-decision-id", exchange.decision_id.encode()),
    ]
    if carried.backend is None:
        return marks
    marks.append((b"x-crossfade-backend", carried.backend.encode()))
    if carried.backend != choice.plan.decided:
        marks.append((b"x-crossfade-fallback", (first_cause(carried.attempts) or "").encode()))
    if choice.stay is not None and (token := services.traffic.sticky_token(exchange.route, choice, carried.backend)):
        marks.append((STICKY_HEADER, token))
    return marks


def _failure(exchange: Exchange, now: float, marks: Headers) -> ProblemError:
    made = exchange.given.carried.attempts
    status = failure_status(made)
    headers = {name.decode(): value.decode() for name, value in marks}
    if status == 503:
        headers["retry-after"] = str(retry_after_s(made, exchange.choice.lanes, now))
    attempts = [
        {"backend": each.backend, "cause": each.cause, "status": each.status, "ms": round(each.elapsed_ms, 1)}
        for each in made
    ]
    detail = f'no backend of route "{exchange.route.name}" answered: {_told(exchange) or "its deadline was over"}'
    return ProblemError(status, _FAILURE[status], detail, headers=headers, attempts=attempts)


def _told(exchange: Exchange) -> str:
    """Name the attempts for people, and who was not asked because of the route's rule for sending calls again."""
    made, route = exchange.given.carried.attempts, exchange.route
    told = [f"{each.backend}: {each.cause}{f' {each.status}' if each.status else ''}" for each in made]
    left = exchange.choice.plan.order[len(made) :]
    if left and made and made[-1].cause not in UNSENT and not may_repeat(route, exchange.call.method):
        told.append(f'{left[0]} was not asked: fallback.replay is "{route.replay}", so a call may not be sent twice')
    return "; ".join(told)
