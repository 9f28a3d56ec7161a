"""Change notices of a real service over real sockets."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.api import ofrep_events
from app.auth import Tokens, digest_of
from app.clock import Clock
from app.ofrep import streams
from app.ofrep.tokens import PERIOD_S, StreamTokens
from app.signing import key_of
from tests.app.listening import Listener, listening
from tests.service import ADMIN, SIGNING_KEY, RunningService, started

PATH = "/ofrep/v1/events"
FLAG = {"key": "f", "variants": {"a": 1, "b": 2}, "default": {"variant": "a"}, "off_variant": "b"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run one service for all tests that do not stop it."""
    with started(tmp_path_factory.mktemp("events"), ofrep_streams=4, log_level="debug") as service:
        service.ok("POST", "/flags", FLAG)
        yield service


def url_of(service: RunningService, token: str | None = None) -> str:
    """Return the path that a bulk answer names for the holder of a token."""
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    (stream,) = service.ok("POST", "/ofrep/v1/evaluate/flags", {}, **authorization)["eventStreams"]
    path: str = stream["endpoint"]["requestUri"]
    return path


def change(service: RunningService) -> None:
    service.ok("PATCH", "/flags/f", {"description": ""}, if_match="*")


async def begun(listener: Listener) -> str:
    """Read what a stream begins with, and return the id of the state in force."""
    told = await listener.notice()
    assert told["type"] == "refetchEvaluation"
    assert listener.ids == [told["etag"]]
    assert any(line.startswith("retry: ") for line in listener.others)
    return listener.ids[-1]


@pytest.fixture
async def listener(shared: RunningService) -> AsyncIterator[Listener]:
    """Yield a listener who has read what a stream begins with."""
    async with listening(shared.url, url_of(shared)) as each:
        await begun(each)
        yield each


async def test_a_stream_needs_no_header_and_is_not_to_be_kept_or_held_back(shared: RunningService) -> None:
    async with listening(shared.url, url_of(shared), Origin="https://shop.example") as listener:
        assert listener.status == 200
        assert listener.headers["content-type"] == "text/event-stream"
        assert listener.headers["cache-control"] == "no-store"
        assert listener.headers["x-accel-buffering"] == "no"
        assert listener.headers["access-control-allow-origin"] == "*"


async def test_a_change_is_told_at_once_and_so_are_a_kill_and_its_release(
    shared: RunningService, listener: Listener
) -> None:
    for act in (
        lambda: change(shared),
        lambda: shared.ok("POST", "/flags/f/kill"),
        lambda: shared.ok("DELETE", "/flags/f/kill"),
    ):
        await asyncio.to_thread(act)
        told = await listener.notice()
        assert told["etag"] == listener.ids[-1]
        assert type(told["lastModified"]) is int
    assert len({*listener.ids}) == 4
    assert listener.ids == sorted(listener.ids, key=lambda mark: [int(part) for part in mark.split("-")[1:]])


async def test_many_changes_are_few_notices_and_the_last_tells_of_the_last(
    shared: RunningService, listener: Listener
) -> None:
    def burst() -> None:
        for _ in range(20):
            change(shared)

    await asyncio.to_thread(burst)
    revision = shared.client.get("/readyz").json()["revision"]
    while int(listener.ids[-1].split("-")[1]) < revision:
        await listener.notice()
    assert len(listener.ids) < 20


async def test_who_comes_again_is_told_only_of_what_he_has_missed(shared: RunningService) -> None:
    async with listening(shared.url, url_of(shared)) as first:
        mark = await begun(first)
    async with listening(shared.url, url_of(shared), Last_Event_ID=mark) as same:
        assert (await same.line()) == f"retry: {ofrep_events.RETRY_S * 1000:.0f}"
        await asyncio.to_thread(change, shared)
        await same.notice()
    async with listening(shared.url, url_of(shared), Last_Event_ID=mark) as missed:
        assert await begun(missed) == same.ids[0] != mark


async def test_whoever_can_send_headers_needs_no_url_of_his_own(shared: RunningService) -> None:
    async with listening(shared.url, PATH, Authorization=f"Bearer {ADMIN}") as listener:
        assert listener.status == 200
        await begun(listener)
    async with listening(shared.url, PATH, X_API_Key=ADMIN) as listener:
        assert listener.status == 200


def token_at(now: float) -> str:
    """Make the token of the admin as the service would have made it at a time."""
    tokens, signer = Tokens([], digest_of(ADMIN)), StreamTokens()
    signer.use(key_of(SIGNING_KEY))
    held = tokens.named("admin", now)
    assert held is not None
    token = signer.make(held, now)
    assert token is not None
    return token


async def refusal(service: RunningService, path: str) -> tuple[int, dict[str, Any]]:
    async with listening(service.url, path) as listener:
        body = await listener.reader.readexactly(int(listener.headers["content-length"]))
        return listener.status, json.loads(body)


async def test_an_old_url_is_over_and_a_made_up_one_is_none(shared: RunningService) -> None:
    over = token_at(time.time() - 3 * PERIOD_S)
    now = token_at(time.time())
    assert url_of(shared) == f"{PATH}?token={now}"
    for _ in range(12):
        status, told = await refusal(shared, f"{PATH}?token={over}")
        assert (status, told["errorCode"]) == (403, "GENERAL")
    status, told = await refusal(shared, f"{PATH}?token={now[:-1]}{'0' if now[-1] != '0' else '1'}")
    assert (status, told["errorCode"]) == (401, "GENERAL")
    assert (await refusal(shared, PATH))[0] == 401


async def test_who_loses_his_token_loses_his_streams(shared: RunningService) -> None:
    made = shared.ok("POST", "/tokens", {"id": "app", "role": "evaluate"})
    path = url_of(shared, made["token"])
    async with listening(shared.url, path) as listener:
        await begun(listener)
        await asyncio.to_thread(shared.ok, "DELETE", "/tokens/app")
        await listener.ended()
    assert (await refusal(shared, path))[0] == 401


@asynccontextmanager
async def full(service: RunningService) -> AsyncIterator[str]:
    """Take every stream there is, and yield the id of the state in force."""
    path = url_of(service)
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(listening(service.url, path)) for _ in range(4)]
        yield [await begun(each) for each in listeners][-1]


async def test_there_are_only_so_many_streams_and_calls_go_on(shared: RunningService) -> None:
    async with full(shared):
        async with listening(shared.url, PATH, X_API_Key=ADMIN) as listener:
            body = await listener.reader.readexactly(int(listener.headers["content-length"]))
        assert (listener.status, json.loads(body)["errorCode"]) == (503, "GENERAL")
        assert int(listener.headers["retry-after"]) > 0
        metrics = shared.client.get("/metrics").text
        assert "crossfade_ofrep_streams 4.0" in metrics
        assert "crossfade_ofrep_streams_full_total 1.0" in metrics
        assert shared.ok("POST", "/ofrep/v1/evaluate/flags/f", {})["value"] == 1


async def test_a_page_that_finds_no_stream_free_hears_what_it_has_missed_and_comes_again_later(
    shared: RunningService,
) -> None:
    # the published web client would ask for everything once a second if it were refused
    async with full(shared) as mark:
        async with listening(shared.url, url_of(shared)) as page:
            assert page.status == 200
            assert await begun(page) == mark
            await page.ended()
        async with listening(shared.url, url_of(shared), Last_Event_ID=mark) as again:
            await again.ended()
        assert again.ids == []
    for each in (page, again):
        (retry,) = (line for line in each.others if line.startswith("retry: "))
        assert 15_000 <= int(retry.removeprefix("retry: ")) <= 25_000


async def test_no_url_is_in_the_logs(shared: RunningService, listener: Listener) -> None:
    await refusal(shared, f"{PATH}?token=admin~ffffffff~secretsecret")
    shared.client.post("/ofrep/v1/evaluate/flags", headers={"X-API-Key": "also-secret"})
    assert listener.status == 200
    assert url_of(shared).partition("=")[2] not in shared.log
    assert "secret" not in shared.log
    assert "token=" not in shared.log


async def test_a_caller_of_http_1_0_who_leaves_is_no_error_of_the_service(shared: RunningService) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(shared.url).port)
    writer.write(f"GET {url_of(shared)} HTTP/1.0\r\n\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b"event: message"), 20)
    writer.close()
    while "crossfade_ofrep_streams 0.0" not in shared.client.get("/metrics").text:
        await asyncio.sleep(0)
    assert "Traceback" not in shared.log


async def test_a_stream_has_an_end_and_its_listener_may_come_again(tmp_path: Path) -> None:
    with started(tmp_path, ofrep_stream_s=0.5) as service:
        path = url_of(service)
        async with listening(service.url, path) as listener:
            mark = await begun(listener)
            await listener.ended()
        async with listening(service.url, path, Last_Event_ID=mark) as again:
            assert again.status == 200
            await again.ended()
            assert again.ids == []


async def test_a_service_that_stops_ends_its_streams_at_once_and_cleanly(tmp_path: Path) -> None:
    with started(tmp_path, drain_s=60) as service:
        async with listening(service.url, url_of(service)) as listener:
            await begun(listener)
            service.process.send_signal(signal.SIGTERM)
            await listener.ended()
        assert await asyncio.to_thread(service.process.wait, 20) == 0


async def test_silence_is_broken_by_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.01)
    each = streams.ChangeStreams(Clock(), 1, 1.0, lambda: 0.0)
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message["body"])
        if len(sent) == 4:
            each.is_closing = True

    await ofrep_events._tell(each, send, each.mark(), lambda: True)
    assert sent[1:] == [ofrep_events.HEARTBEAT] * 3
    assert all(piece.startswith(b":") and piece.endswith(b"\n\n") for piece in sent[1:])
