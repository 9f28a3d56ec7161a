from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from routers.call import Answer, Call, SendError
from routers.causes import Cause
from tests.app.outcomes.reporting import exported
from tests.inprocess import ROUTE, Service, running, settings_in

NEW = "http://new:2"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Run a service whose route `rag` records its calls, everyone on the new side."""
    async with running(settings_in(tmp_path, outcome_flush_s=0.01)) as each:
        await each.with_rag(100)
        await each.ok("PUT", "/routes/rag", {**ROUTE, "record": {}}, If_Match="*")
        yield each


def failed(_: Call) -> SendError:
    return SendError(Cause.CONNECT, "refused")


async def test_a_call_is_an_outcome_of_its_decision(service: Service) -> None:
    def late(_: Call) -> Answer:
        service.time.seconds += 0.25
        return Answer(404, [], b"none")

    service.script.answers[NEW] = late
    answer = await service.ask("GET", "/route/rag", X_User_Id="user-1")
    [kept] = await exported(service, 1)
    assert (kept["kind"], kept["value"], kept["decision_id"]) == (
        "call",
        250,
        answer.headers["x-crossfade-decision-id"],
    )
    assert kept["metadata"] == {"status": 404, "is_whole": True, "fallback": None}
    assert (kept["side"], kept["served"], kept["attributed_by"]) == ("new", "new", "decision")


async def test_a_call_that_fell_back_says_why(service: Service) -> None:
    service.script.answers[NEW] = failed
    await service.ask("GET", "/route/rag", X_User_Id="user-1")
    [kept] = await exported(service, 1)
    assert kept["metadata"] == {"status": 200, "is_whole": True, "fallback": "connect"}
    assert (kept["side"], kept["served"]) == ("new", "legacy")


async def test_a_call_that_nobody_answered_is_recorded_too(service: Service) -> None:
    service.script.answers |= {NEW: failed, "http://legacy:1": failed}
    assert (await service.ask("GET", "/route/rag", X_User_Id="user-1")).status_code == 503
    [kept] = await exported(service, 1)
    assert kept["metadata"] == {"status": 503, "is_whole": False, "fallback": "connect"}
    assert (kept["side"], kept["served"]) == ("new", None)


@pytest.mark.parametrize("breaks", [False, True])
async def test_a_stream_is_recorded_at_its_end_whole_or_not(service: Service, breaks: bool) -> None:
    async def rest() -> AsyncIterator[bytes]:
        service.time.seconds += 2
        yield b"second"
        if breaks:
            raise SendError(Cause.INTERRUPTED, "gone")

    service.script.answers[NEW] = lambda _: Answer(200, [], b"first", rest())
    # the client without a network has no other word for an answer that is cut off
    with suppress(AssertionError):
        await service.ask("GET", "/route/rag", X_User_Id="user-1")
    [kept] = await exported(service, 1)
    assert kept["value"] == 2000
    assert kept["metadata"]["is_whole"] is not breaks


async def test_of_a_caller_all_calls_are_recorded_or_none(service: Service) -> None:
    await service.ok("PUT", "/routes/rag", {**ROUTE, "record": {"sample": 0.5}}, If_Match="*")
    for number in range(200):
        for _ in range(2):
            await service.ask("GET", "/route/rag", X_User_Id=f"user-{number}")
    kept = await exported(service, 1)
    units = [each["unit"] for each in kept]
    assert 60 < len({*units}) < 140
    assert all(units.count(unit) == 2 for unit in units)


async def test_without_room_a_call_is_answered_and_its_record_dropped(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, outcome_flush_s=30, outcome_buffer_bytes=1_048_576)
    async with running(settings) as service:
        await service.with_rag(100)
        await service.ok("PUT", "/routes/rag", {**ROUTE, "record": {}}, If_Match="*")
        while 'result="dropped"' not in (await service.ask("GET", "/metrics")).text:
            for _ in range(200):
                assert (await service.ask("GET", "/route/rag", X_User_Id="user-1")).status_code == 200


@pytest.mark.parametrize(("name", "named"), [("6b49d200-29f6-90bf-0533-3a674f5895bf", 100), ("😀" * 300, 0), ("\0", 0)])
async def test_a_call_is_recorded_whatever_its_answer_shows(service: Service, name: str, named: int) -> None:
    await service.ok("PUT", "/routes/rag", {**ROUTE, "record": {}, "profile": "rag"}, If_Match="*")
    body = orjson.dumps({"passages": [{"id": f"{name}{n}", "score": 1 / (n + 1)} for n in range(100)]})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    service.script.answers[NEW] = lambda _: Answer(200, headers, body)
    answer = await service.ask("GET", "/route/rag", X_User_Id="user-1")
    assert (answer.status_code, answer.content) == (200, body)
    [kept] = await exported(service, 1)
    signals = kept["metadata"]["signals"]
    assert signals["results"] == 100
    assert len(signals.get("items", ())) == len(signals.get("scores", ())) == named
