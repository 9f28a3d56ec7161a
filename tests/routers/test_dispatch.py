import asyncio
from typing import Any

import pytest

from routers.attempts import Attempt, failure_status, retry_after_s
from routers.breaker import Permit, State
from routers.call import Answer, Call, SendError
from routers.causes import Cause
from routers.dispatch import dispatch
from routers.lanes import Ending, Lane
from routers.model import Backend
from tests.routers.played import Played
from tests.routers.scripted import JSON, Script, Stage, a_call, a_route, both, lanes_of, only
from tests.virtual_time import run_virtually

HANGS = Script(after_s=None)
ANSWERS = Script(after_s=0.05)
LOST = [Cause.CONNECT, Cause.INTERRUPTED, Cause.GARBAGE]


def test_the_first_backend_that_answers_is_the_last_one_asked() -> None:
    played = Played({"new": ANSWERS, "legacy": ANSWERS})
    assert played.result.backend == "new"
    assert played.stage.sent == ["new"]
    assert [attempt[:3] for attempt in played.result.attempts] == [("new", None, 200)]
    assert played.result.attempts[0].elapsed_ms == pytest.approx(50)
    assert played.recorded("new") == (1, 0)


@pytest.mark.parametrize("cause", LOST)
def test_a_failed_send_leads_to_the_fallback(cause: Cause) -> None:
    played = Played({"new": Script(cause=cause), "legacy": ANSWERS})
    assert played.result.backend == "legacy"
    assert played.causes == [("new", cause), ("legacy", None)]
    assert played.recorded("new") == (1, 1)


@pytest.mark.parametrize("status", [500, 503, 599, 429])
def test_a_status_that_blames_the_backend_leads_to_the_fallback(status: int) -> None:
    played = Played({"new": Script(status=status), "legacy": ANSWERS})
    assert played.result.backend == "legacy"
    assert played.result.attempts[0][:3] == ("new", Cause.STATUS, status)
    assert played.recorded("new") == (1, 1)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 499])
def test_a_status_that_blames_the_caller_passes_and_counts_neither_way(status: int) -> None:
    played = Played({"new": Script(status=status), "legacy": ANSWERS})
    assert played.result.answer is not None
    assert played.result.answer.status == status
    assert played.recorded("new") == (0, 0)
    assert played.lanes["new"].in_flight == 0


@pytest.mark.parametrize(
    ("new_ms", "deadline_ms", "hangs_s"),
    [(800, 4000, 0.8), (None, 4000, 2.0), (3999, 4000, 3.999)],
)
def test_a_hung_backend_leaves_its_fallback_time(new_ms: int | None, deadline_ms: int, hangs_s: float) -> None:
    quick = Script(after_s=0.0005)
    played = Played({"new": HANGS, "legacy": quick}, deadline_ms=deadline_ms, new={"timeout_ms": new_ms})
    assert played.result.backend == "legacy"
    assert played.causes[0] == ("new", Cause.TIMEOUT)
    assert played.took_s == pytest.approx(hangs_s + 0.0005)


def test_when_both_hang_the_call_ends_at_the_deadline() -> None:
    played = Played({"new": HANGS, "legacy": HANGS}, deadline_ms=4000, legacy={"timeout_ms": 60_000})
    assert played.result.answer is None
    assert played.took_s == pytest.approx(4.0)
    assert played.causes == [("new", Cause.TIMEOUT), ("legacy", Cause.TIMEOUT)]


def test_a_hang_that_may_not_be_repeated_gets_all_the_time_there_is() -> None:
    slow = Script(after_s=3.9)
    played = Played({"new": slow, "legacy": ANSWERS}, method="POST", deadline_ms=4000)
    assert played.result.backend == "new"


@pytest.mark.parametrize("cause", [Cause.INTERRUPTED, Cause.GARBAGE])
@pytest.mark.parametrize(
    ("method", "route", "repeats"),
    [
        ("GET", {"fallback": {"replay": "safe"}}, True),
        ("HEAD", {"fallback": {"replay": "safe"}}, True),
        ("POST", {"fallback": {"replay": "safe"}}, False),
        ("PUT", {"fallback": {"replay": "safe"}}, False),
        ("POST", {"fallback": {"replay": "always"}}, True),
        ("GET", {"fallback": {"replay": "never"}}, False),
        ("POST", {"fallback": {"replay": "never"}, "shadow": {}}, True),
    ],
)
def test_a_call_that_may_have_been_seen_is_repeated_only_as_the_route_allows(
    cause: Cause, method: str, route: dict[str, Any], repeats: bool
) -> None:
    played = Played({"new": Script(cause=cause), "legacy": ANSWERS}, method=method, **route)
    assert played.stage.sent == (["new", "legacy"] if repeats else ["new"])


def test_a_call_that_was_never_sent_always_goes_on() -> None:
    refused = Script(cause=Cause.CONNECT)
    played = Played({"new": refused, "legacy": ANSWERS}, method="POST", fallback={"replay": "never"})
    assert played.result.backend == "legacy"


def test_a_call_whose_time_is_over_is_not_sent_on() -> None:
    now = 1000.0

    async def late(backend: Backend, call: Call) -> Answer:
        nonlocal now
        now += 4.0
        raise SendError(Cause.CONNECT, f"{call.path} to {backend.url} held up the event loop")

    route = a_route(deadline_ms=4000)
    result = asyncio.run(dispatch(route, both(), a_call(), lanes_of(route), late, lambda: now))
    assert [attempt.backend for attempt in result.attempts] == ["new"]


def test_a_full_lane_and_an_open_breaker_are_passed_by() -> None:
    route = a_route(new={"max_concurrency": 1})
    lanes = lanes_of(route)
    lanes["new"].enter(1000.0)
    full = Played({"new": ANSWERS, "legacy": ANSWERS}, lanes=lanes, method="POST")
    assert full.causes == [("new", Cause.CONCURRENCY), ("legacy", None)]
    lanes["new"].breaker.force_open(1000.0)
    broken = Played({"new": ANSWERS, "legacy": ANSWERS}, lanes=lanes, method="POST")
    assert broken.causes == [("new", Cause.BREAKER_OPEN), ("legacy", None)]
    assert full.stage.sent == broken.stage.sent == ["legacy"]


def test_the_only_backend_asked_has_its_error_passed_on_as_it_is() -> None:
    failing = Script(status=500, body=b"legacy's own words")
    played = Played({"legacy": failing}, plan=only("legacy"))
    assert played.result.backend == "legacy"
    assert played.result.answer == Answer(500, [], b"legacy's own words")
    assert played.recorded("legacy") == (1, 1)


def test_an_error_passes_when_the_call_may_not_be_repeated() -> None:
    played = Played({"new": Script(status=503), "legacy": ANSWERS}, method="POST")
    assert played.result.backend == "new"
    assert played.stage.sent == ["new"]


def test_an_error_passes_when_the_decided_backend_was_not_even_asked() -> None:
    lanes = lanes_of(a_route())
    lanes["new"].breaker.force_open(1000.0)
    played = Played({"legacy": Script(status=500)}, lanes=lanes)
    assert played.result.backend == "legacy"
    assert played.causes == [("new", Cause.BREAKER_OPEN), ("legacy", Cause.STATUS)]


@pytest.mark.parametrize("first", [Script(status=500), Script(cause=Cause.CONNECT), HANGS])
def test_when_both_fail_there_is_no_answer_and_both_are_listed(first: Script) -> None:
    played = Played({"new": first, "legacy": Script(status=500)})
    assert played.result.answer is None
    assert played.result.backend is None
    assert [name for name, _ in played.causes] == ["new", "legacy"]
    assert failure_status(played.result.attempts) == 502


def test_a_streamed_error_is_let_go_of_before_the_next_backend_is_asked() -> None:
    played = Played({"new": Script(status=500, pieces=((None, b"more"),)), "legacy": ANSWERS})
    assert played.result.backend == "legacy"
    assert played.stage.streams[0].closed
    assert played.lanes["new"].in_flight == 0


@pytest.mark.parametrize(
    ("profile", "script", "backend"),
    [
        ("rag", Script(headers=JSON, body=b'{"cut": '), "legacy"),
        ("rag", Script(headers=JSON, body=b'{"whole": 1}'), "new"),
        ("rag", Script(headers=JSON, body=b'{"score": NaN}'), "new"),
        ("rag", Script(headers=JSON, body='{"é": 1}'.encode("utf-16")), "new"),
        ("rag", Script(headers=JSON, body=b""), "new"),
        ("rag", Script(headers=[*JSON, (b"content-encoding", b"gzip")], body=b"\x1f\x8b"), "new"),
        ("rag", Script(headers=[(b"content-type", b"text/html")], body=b"<p>"), "new"),
        ("rag", Script(headers=[(b"content-type", b"application/problem+json; charset=utf-8")], body=b"<p>"), "legacy"),
        ("rag", Script(headers=JSON, body=b"[" * 100_000), "legacy"),
        ("rag", Script(headers=JSON, body=b'{"a":', pieces=((0.1, b"1}"),)), "new"),
        ("raw", Script(headers=JSON, body=b'{"cut": '), "new"),
    ],
)
def test_an_answer_that_is_not_the_json_it_says_it_is_counts_as_garbage(
    profile: str, script: Script, backend: str
) -> None:
    played = Played({"new": script, "legacy": ANSWERS}, profile=profile)
    assert played.result.backend == backend
    assert (played.causes[0] == ("new", Cause.GARBAGE)) == (backend == "legacy")


def test_a_cancelled_call_counts_neither_way() -> None:
    async def scenario() -> None:
        route, stage = a_route(), Stage({"new": HANGS, "legacy": ANSWERS})
        lanes, clock = lanes_of(route), asyncio.get_running_loop().time
        task = asyncio.create_task(dispatch(route, both(), a_call(), lanes, stage.send, clock))
        await asyncio.sleep(0.1)
        assert lanes["new"].in_flight == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert lanes["new"].in_flight == 0
        assert lanes["new"].breaker.status(clock()).calls == 0
        assert stage.sent == ["new"]

    run_virtually(scenario())


def test_a_probe_that_is_cancelled_leaves_room_for_the_next() -> None:
    async def scenario() -> None:
        route = a_route(new={"breaker": {"minimum_calls": 1, "probes": 1, "slow_start_s": 0}})
        stage = Stage({"new": Script(cause=Cause.CONNECT), "legacy": ANSWERS})
        lanes, clock = lanes_of(route), asyncio.get_running_loop().time
        await dispatch(route, both(), a_call(), lanes, stage.send, clock)
        assert lanes["new"].breaker.status(clock()).state is State.OPEN
        await asyncio.sleep(6)
        stage.scripts["new"] = HANGS
        task = asyncio.create_task(dispatch(route, both(), a_call(), lanes, stage.send, clock))
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait({task})
        stage.scripts["new"] = ANSWERS
        result = await dispatch(route, both(), a_call(), lanes, stage.send, clock)
        assert result.backend == "new"
        assert lanes["new"].breaker.status(clock()).state is State.CLOSED

    run_virtually(scenario())


def test_a_bug_in_send_comes_out_and_holds_no_permit() -> None:
    async def buggy(backend: Backend, call: Call) -> Answer:
        raise ZeroDivisionError(f"{call.path} to {backend.url}")

    async def scenario() -> None:
        route = a_route()
        lanes = lanes_of(route)
        with pytest.raises(ZeroDivisionError):
            await dispatch(route, both(), a_call(), lanes, buggy, asyncio.get_running_loop().time)
        assert lanes["new"].in_flight == 0

    run_virtually(scenario())


@pytest.mark.parametrize(
    ("causes", "status"),
    [
        ([Cause.BREAKER_OPEN, Cause.CONNECT], 503),
        ([Cause.CONCURRENCY], 503),
        ([Cause.TIMEOUT, Cause.STATUS], 502),
        ([Cause.STATUS, Cause.TIMEOUT], 504),
        ([Cause.TIMEOUT, Cause.CONNECT], 504),
        ([Cause.INTERRUPTED, Cause.BREAKER_OPEN], 502),
        ([], 503),
    ],
)
def test_the_status_of_a_failed_call_says_how_far_it_got(causes: list[Cause], status: int) -> None:
    assert failure_status([Attempt("b", cause, None, 0.0, "") for cause in causes]) == status


def test_retry_after_is_when_the_first_breaker_may_let_calls_through() -> None:
    lanes = lanes_of(a_route(new={"breaker": {"minimum_calls": 1, "open_s": 7.5}}))
    entered = lanes["new"].breaker.permit(0.0)
    assert not isinstance(entered, Cause)
    lanes["new"].breaker.record(entered, ok=False, seconds=0.1, now=0.0)
    refused = Attempt("new", Cause.BREAKER_OPEN, None, 0.0, "")
    assert retry_after_s([refused], lanes, 0.0) == 8
    assert retry_after_s([refused], lanes, 7.4) == 1
    assert retry_after_s([refused, Attempt("legacy", Cause.CONNECT, None, 0.0, "")], lanes, 0.0) == 1
    assert retry_after_s([], lanes, 0.0) == 1


def trip(lane: Lane) -> None:
    """Fail until the lane's breaker is open."""
    while isinstance(permit := lane.enter(0.0), Permit):
        lane.leave(permit, Ending.FAILED, seconds=0.0, now=0.0)


async def test_the_last_backend_is_asked_even_when_its_breaker_is_open() -> None:
    route, stage = a_route(), Stage({"new": ANSWERS, "legacy": Script(body=b"still here")})
    lanes = lanes_of(route)
    for lane in lanes.values():
        trip(lane)
    found = await dispatch(route, both(), a_call(), lanes, stage.send, lambda: 0.0)
    assert found.answer is not None
    assert found.answer.body == b"still here"
    assert [attempt.cause for attempt in found.attempts] == [Cause.BREAKER_OPEN, None]
    assert (lanes["legacy"].in_flight, lanes["legacy"].breaker.status(0.0).state) == (0, State.OPEN)


async def test_the_last_backend_is_not_asked_when_a_person_holds_its_breaker_open() -> None:
    route, stage = a_route(), Stage({"new": ANSWERS, "legacy": ANSWERS})
    lanes = lanes_of(route)
    for lane in lanes.values():
        lane.breaker.force_open(0.0)
    found = await dispatch(route, both(), a_call(), lanes, stage.send, lambda: 0.0)
    assert (found.answer, stage.sent) == (None, [])
