"""Notices to receivers that answer, refuse, hang, redirect and are not there."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.backends import BackendClient
from app.clock import Clock
from app.metrics import Metrics
from app.notices import sending
from app.notices.address import address_of
from app.notices.model import NoticeKind
from app.notices.sending import Notices
from app.stores.alerts import Alerts
from app.stores.engines import outcomes_engine_of
from tests.app.alerts.raising import CRITICAL, raised
from tests.app.alerts.test_acting import locked
from tests.faulty import (
    CLOSES_BEFORE_ANSWERING,
    ERROR,
    GARBAGE,
    HANGS,
    HANGS_IN_MID_ANSWER,
    OK,
    OVERLOADED,
    REDIRECTS,
    STREAM,
    STREAM_HANGS,
    SWITCHES,
    Faulty,
    Turn,
    closed_port,
    faulty,
    whole,
)
from tests.inprocess import Service, running, settings_in

SECRET = "what notices are signed with"
PATIENCE_S = 20.0
GONE: Turn = [whole(b"no_service", status=b"404 Not Found")]
FACTS = {"rollout": "rag-v2-1", "route": "rag", "percentage": 25, "why": "all gates passed"}


@asynccontextmanager
async def notices_to(
    folder: Path, url: str | None, waits_s: Sequence[float] = (0.01, 0.01, 0.01, 0.01)
) -> AsyncIterator[Notices]:
    """Open notices to a receiver, which are tried again soon."""
    address = None if url is None else address_of(f"{url}/services/T/SECRET-PATH?key=SECRET-KEY", SECRET)
    store = Alerts(outcomes_engine_of(f"sqlite:///{folder / 'journal.db'}"))
    async with (
        store,
        BackendClient() as client,
        Notices(address, client.send, store, Metrics(), Clock(), lambda: 0.5, waits_s) as notices,
    ):
        yield notices


async def until(holds: Callable[[], bool]) -> None:
    """Let the event loop go on until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def ended(notices: Notices) -> list[dict[str, Any]]:
    """Wait until nothing is under way, and return what is kept, newest first."""
    await until(lambda: not notices._tasks)
    return [json.loads(row.body) for row in await notices.store.notices()]


def verify(request: bytes, secret: str, now: float, tolerance_s: float = 300.0) -> Any:
    """Check a notice as its receiver would, from the documentation alone, and return it."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    headers = {name.strip().lower().decode(): value.strip().decode() for name, _, value in lines}
    parts = dict(part.split("=", 1) for part in headers["x-crossfade-signature"].split(","))
    assert abs(now - int(parts["t"])) < tolerance_s
    expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, parts["v1"])
    return json.loads(body)


async def test_a_notice_arrives_once_signed_and_in_a_form_that_chats_show(tmp_path: Path) -> None:
    async with faulty(OK) as receiver, notices_to(tmp_path, receiver.url) as notices:
        notices.notify(NoticeKind.ADVANCED, FACTS)
        [kept] = await ended(notices)
    [request] = receiver.requests
    assert receiver.heads[0].startswith("POST /services/T/SECRET-PATH?key=SECRET-KEY HTTP/1.1\r\n")
    told = verify(request, SECRET, time.time())
    assert told["text"] == "Rollout advanced: rollout rag-v2-1, route rag, at 25 % - all gates passed"
    assert (told["kind"], told["facts"], told["id"]) == ("advanced", FACTS, kept["id"])
    # what chats read beside the text would change what they show
    assert {*told} == {"text", "kind", "id", "at", "facts"}
    assert (kept["result"], kept["tries"], kept["status"]) == ("delivered", 1, 200)


async def test_what_was_changed_on_the_way_or_is_old_is_no_notice_of_ours(tmp_path: Path) -> None:
    async with faulty(OK) as receiver, notices_to(tmp_path, receiver.url) as notices:
        notices.notify(NoticeKind.KILLED, {"scope": "all"})
        await ended(notices)
    [request] = receiver.requests
    for changed, now in ((request.replace(b'"all"', b'"one"'), time.time()), (request, time.time() + 999)):
        with pytest.raises(AssertionError):
            verify(changed, SECRET, now)


@pytest.mark.parametrize("turn", [ERROR, OVERLOADED, CLOSES_BEFORE_ANSWERING, GARBAGE])
async def test_a_receiver_that_fails_for_a_while_is_told_later(tmp_path: Path, turn: Turn) -> None:
    async with faulty(turn, turn, OK) as receiver, notices_to(tmp_path, receiver.url) as notices:
        notices.notify(NoticeKind.PAUSED, FACTS)
        [kept] = await ended(notices)
    assert (kept["result"], kept["tries"]) == ("delivered", 3)
    bodies = {request.partition(b"\r\n\r\n")[2] for request in receiver.requests}
    assert len(bodies) == 1


async def test_a_receiver_that_goes_on_failing_is_tried_five_times_and_that_is_kept(tmp_path: Path) -> None:
    async with faulty(ERROR) as receiver, notices_to(tmp_path, receiver.url) as notices:
        notices.notify(NoticeKind.PAUSED, FACTS)
        [kept] = await ended(notices)
    assert len(receiver.requests) == 5
    assert (kept["result"], kept["tries"], kept["status"], kept["why"]) == ("failed", 5, 500, "refused (500)")


@pytest.mark.parametrize("turn", [GONE, REDIRECTS, SWITCHES])
async def test_what_another_try_would_not_change_is_not_tried_again(tmp_path: Path, turn: Turn) -> None:
    async with faulty(turn) as receiver, notices_to(tmp_path, receiver.url) as notices:
        notices.notify(NoticeKind.PAUSED, FACTS)
        [kept] = await ended(notices)
    assert kept["result"] == "failed"
    if turn is not SWITCHES:
        assert len(receiver.requests) == 1


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    async with faulty(OK) as elsewhere:
        turn: Turn = [whole(b"", b"location: " + elsewhere.url.encode(), status=b"307 Temporary Redirect")]
        async with faulty(turn) as receiver, notices_to(tmp_path, receiver.url) as notices:
            notices.notify(NoticeKind.PAUSED, FACTS)
            [kept] = await ended(notices)
        assert "redirect" in kept["why"]
        assert elsewhere.requests == []


async def test_a_receiver_that_is_not_there_is_told_of_without_its_secret_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with notices_to(tmp_path, closed_port()) as notices:
        notices.notify(NoticeKind.PAUSED, FACTS)
        [kept] = await ended(notices)
    assert (kept["result"], kept["tries"], kept["status"]) == ("failed", 5, None)
    assert kept["why"].startswith("connect: ")
    for secret in ("SECRET-PATH", "SECRET-KEY", SECRET):
        assert secret not in json.dumps(kept)
        assert secret not in caplog.text


@pytest.mark.parametrize("turn", [HANGS, HANGS_IN_MID_ANSWER])
async def test_a_receiver_that_hangs_holds_up_nobody(
    tmp_path: Path, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "TRY_S", 0.2)
    async with faulty(turn) as receiver, notices_to(tmp_path, receiver.url, ()) as notices:
        began = time.monotonic()
        for _ in range(8):
            notices.notify(NoticeKind.PAUSED, FACTS)
        assert time.monotonic() - began < 0.1
        kept = await ended(notices)
    assert {(each["result"], each["why"]) for each in kept} == {("failed", "no answer within 0.2 s")}
    assert len(receiver.requests) == 8


@pytest.mark.parametrize("turn", [STREAM, STREAM_HANGS])
async def test_of_a_long_answer_only_its_status_counts(tmp_path: Path, turn: Turn) -> None:
    async with faulty(turn) as receiver, notices_to(tmp_path, receiver.url) as notices:
        notices.notify(NoticeKind.PAUSED, FACTS)
        [kept] = await ended(notices)
        await until(lambda: receiver.open == 0)
    assert kept["result"] == "delivered"


async def test_only_so_many_wait_and_what_is_dropped_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LAST_S", 0.05)
    async with faulty(HANGS) as receiver, notices_to(tmp_path, receiver.url) as notices:
        for _ in range(sending.MOST_WAITING + 3):
            notices.notify(NoticeKind.PAUSED, FACTS)
        assert len(notices._tasks) == sending.MOST_WAITING
        await until(lambda: receiver.connections == sending.MOST_AT_ONCE)
        told = notices._metrics.render().decode()
        assert 'crossfade_notices_total{kind="paused",result="dropped"} 3.0' in told


async def test_a_burst_of_changes_leaves_room_for_what_somebody_is_to_act_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "LAST_S", 0.05)
    async with faulty(HANGS) as receiver, notices_to(tmp_path, receiver.url) as notices:
        for _ in range(1_000):
            notices.notify(NoticeKind.CHANGED, FACTS)
        notices.notify(NoticeKind.KILLED, {"scope": "all"})
        told = notices._metrics.render().decode()
        assert 'crossfade_notices_total{kind="changed",result="dropped"} 808.0' in told
        assert 'crossfade_notices_total{kind="killed"' not in told


async def test_what_is_under_way_at_a_stop_has_a_moment(tmp_path: Path) -> None:
    slow: Turn = [0.2, whole()]
    async with faulty(slow) as receiver:
        async with notices_to(tmp_path, receiver.url) as notices:
            notices.notify(NoticeKind.KILLED, {"scope": "all"})
        assert len(receiver.requests) == 1
        store = Alerts(outcomes_engine_of(f"sqlite:///{tmp_path / 'journal.db'}"))
        async with store:
            assert [json.loads(row.body)["result"] for row in await store.notices()] == ["delivered"]


async def test_without_a_receiver_nothing_is_told_and_nothing_kept(tmp_path: Path) -> None:
    async with notices_to(tmp_path, None) as notices:
        notices.notify(NoticeKind.PAUSED, FACTS)
        assert await ended(notices) == []


async def test_notices_are_told_while_the_database_is_away_and_kept_with_the_next(tmp_path: Path) -> None:
    async with faulty(OK) as receiver, notices_to(tmp_path, receiver.url) as notices:
        with locked(tmp_path / "outcomes.db"):
            notices.notify(NoticeKind.PAUSED, FACTS)
            await until(lambda: not notices._tasks)
            assert len(receiver.requests) == 1
        notices.notify(NoticeKind.COMPLETED, FACTS)
        assert [each["kind"] for each in await ended(notices)] == ["completed", "paused"]


async def bodies_of(receiver: Faulty, count: int) -> list[Any]:
    """Wait until a receiver was told so often, and return what."""
    await until(lambda: len(receiver.requests) >= count)
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in receiver.requests]


@asynccontextmanager
async def telling(folder: Path, receiver: Faulty) -> AsyncIterator[Service]:
    """Run a service whose notices have a real way to a receiver; that to backends is scripted."""
    settings = settings_in(folder, notice_url=f"{receiver.url}/x", notice_secret=SECRET)
    async with running(settings) as service, BackendClient() as client:
        service.services.notices._send = client.send
        await service.with_rag(50)
        yield service


async def test_kills_and_alerts_that_act_are_told(tmp_path: Path) -> None:
    async with faulty(OK) as receiver, telling(tmp_path, receiver) as service:
        await service.ok("POST", "/kill-switch", {"scope": "all", "reason": "drill"})
        [first] = await bodies_of(receiver, 1)
        assert first["text"] == "Killed: scope all - drill (by admin)"
        await service.ok("DELETE", "/kill-switch")
        await raised(service, CRITICAL)
        [_, second] = await bodies_of(receiver, 2)
        assert (second["kind"], second["facts"]["did"]) == ("alert_acted", "killed")
        assert second["text"].endswith("- critical alert error_rate 0.5, threshold 0.1 (by alert)")


async def test_the_last_notices_are_listed_in_pages_and_by_whether_they_failed(tmp_path: Path) -> None:
    async with faulty(OK, OK, GONE) as receiver, telling(tmp_path, receiver) as service:
        for number in range(3):
            await service.ok("POST", "/kill-switch", {"reason": f"{number}"})
            await until(lambda: not service.services.notices._tasks)
        [failed] = (await service.ok("GET", "/notices?failed=true"))["items"]
        assert (failed["facts"]["why"], failed["result"], failed["status"]) == ("2", "failed", 404)
        page = await service.ok("GET", "/notices?limit=2")
        assert [each["facts"]["why"] for each in page["items"]] == ["2", "1"]
        rest = await service.ok("GET", f"/notices?limit=2&before={page['next']}")
        assert ([each["facts"]["why"] for each in rest["items"]], rest["next"]) == (["0"], None)
        assert len((await service.ok("GET", "/notices?failed=false"))["items"]) == 2


async def test_facts_that_no_program_could_read_hurt_nobody(tmp_path: Path) -> None:
    async with faulty(OK) as receiver, notices_to(tmp_path, receiver.url) as notices:
        notices.notify(NoticeKind.PAUSED, {"why": object()})  # type: ignore[dict-item]  # what a type checker refuses
        assert await ended(notices) == []
    assert receiver.requests == []
