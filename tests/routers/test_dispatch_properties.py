import asyncio
from dataclasses import dataclass

from hypothesis import event, given, settings
from hypothesis import strategies as st

from routers.attempts import Dispatched
from routers.call import SendError
from routers.causes import UNSENT, Cause
from routers.dispatch import dispatch, may_repeat
from routers.model import Route
from routers.streams import close
from tests.routers.scripted import Script, Stage, a_call, a_route, both, lanes_of
from tests.virtual_time import run_virtually

SECONDS = st.one_of(st.none(), st.sampled_from([0.0, 0.001, 0.5, 1.0, 2.0]), st.floats(0, 5))
PIECES = st.lists(st.tuples(SECONDS, st.sampled_from([b"more", Cause.INTERRUPTED])), max_size=4).map(tuple)
SCRIPTS = st.builds(
    Script,
    after_s=SECONDS,
    cause=st.sampled_from([None, None, Cause.CONNECT, Cause.INTERRUPTED, Cause.GARBAGE]),
    status=st.sampled_from([200, 200, 204, 302, 404, 429, 500, 503]),
    pieces=st.none() | PIECES,
)
LIMIT = st.none() | st.integers(1, 3999)
ROUTES = st.builds(
    a_route,
    deadline_ms=st.just(4000),
    idle_timeout_ms=st.just(1500),
    max_stream_ms=st.just(3000),
    new=st.fixed_dictionaries({"timeout_ms": LIMIT}),
    legacy=st.fixed_dictionaries({"timeout_ms": LIMIT}),
    fallback=st.fixed_dictionaries({"replay": st.sampled_from(["always", "safe", "never"])}),
    shadow=st.none() | st.just({}),
)
METHODS = st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])


@dataclass(frozen=True)
class Told:
    """How a call went: None for the result when it was cancelled."""

    result: Dispatched | None
    took_s: float
    sent: list[str]
    ended: list[str]
    in_flight: list[int]
    recorded: dict[str, tuple[int, int]]


def play(route: Route, method: str, scripts: dict[str, Script], *, cancel_after_s: float, reads: int) -> Told:
    """Dispatch one call, read some pieces of what comes, leave, and cancel everything at some moment."""

    async def scenario() -> Told:
        stage, lanes = Stage(scripts), lanes_of(route)
        clock = asyncio.get_running_loop().time
        began, heard, got = clock(), 0.0, None

        async def caller() -> None:
            nonlocal heard, got
            got = await dispatch(route, both(), a_call(method), lanes, stage.send, clock)
            heard = clock() - began
            await read(got, reads)

        await asyncio.wait({task := asyncio.create_task(caller())}, timeout=cancel_after_s)
        task.cancel()
        await asyncio.wait({task})
        counts = {name: lane.breaker.status(clock()) for name, lane in lanes.items()}
        recorded = {name: (status.calls, status.failures) for name, status in counts.items()}
        in_flight = [lane.in_flight for lane in lanes.values()]
        return Told(got, heard, stage.sent, stage.ended, in_flight, recorded)

    return run_virtually(scenario())


async def read(result: Dispatched, pieces: int) -> None:
    """Read so many pieces of a stream, if it is one, and let go of it."""
    rest = result.answer.rest if result.answer else None
    if rest is None:
        return
    try:
        for _ in range(pieces):
            assert await anext(rest, b"end")
    except SendError:
        event("broke")
    finally:
        await close(rest)


@settings(max_examples=300, deadline=None)
@given(ROUTES, METHODS, SCRIPTS, SCRIPTS, st.floats(0, 12) | st.just(60.0), st.integers(0, 5))
def test_whatever_happens_the_rules_of_a_call_are_kept(
    route: Route, method: str, new: Script, legacy: Script, cancel_after_s: float, reads: int
) -> None:
    scripts = {"new": new, "legacy": legacy}
    told = play(route, method, scripts, cancel_after_s=cancel_after_s, reads=reads)
    assert told.in_flight == [0, 0], "every permit comes back"
    assert told.sent in ([], ["new"], ["new", "legacy"]), "in order, and each once"
    assert told.ended == told.sent, "one at a time, none left behind"
    assert told.took_s <= 4.0 + 1e-9, "all attempts within the deadline"
    if told.result is None:
        event("cancelled")
        return
    attempts = told.result.attempts
    event(" then ".join(attempt.cause or "answer" for attempt in attempts))
    assert [attempt.backend for attempt in attempts] == told.sent
    assert (told.result.answer is None) == (told.result.backend is None)
    if len(attempts) > 1:
        assert attempts[0].cause in UNSENT or may_repeat(route, method), "sent twice only where the route allows it"
    for earlier in attempts[:-1]:
        assert earlier.cause is not None, "an answer ends the search"
    if told.result.answer is not None:
        assert told.result.backend == attempts[-1].backend
    for attempt in attempts:
        calls, failures = told.recorded[attempt.backend]
        assert failures <= calls <= 1, "told to the breaker once"
        is_streaming = told.result.backend == attempt.backend and scripts[attempt.backend].pieces is not None
        assert is_streaming or failures == (attempt.cause is not None), "failures are what was not answered"


@given(ROUTES, METHODS)
def test_a_hang_leaves_a_quick_fallback_its_time(route: Route, method: str) -> None:
    scripts = {"new": Script(after_s=None), "legacy": Script(after_s=0.0)}
    told = play(route, method, scripts, cancel_after_s=60, reads=0)
    assert told.result is not None
    assert (told.result.backend == "legacy") == may_repeat(route, method)
