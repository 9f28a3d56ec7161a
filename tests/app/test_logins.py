"""Failed logins: refused for a while when there are too many from one source, and never a valid token."""

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.logins import FAILURES, SOURCES, WINDOW_S, Logins, Refusal
from app.sources import source_of
from tests.inprocess import ADMIN, Service


def burst(logins: Logins, source: str, now: float, count: int = FAILURES) -> list[Refusal | None]:
    """Fail so many times at one moment."""
    return [logins.failed(source, now) for _ in range(count)]


def test_the_eleventh_failure_within_a_minute_is_refused_until_the_first_is_a_minute_old() -> None:
    logins = Logins()
    assert [logins.failed("a", float(at)) for at in range(10)] == [None] * 10
    assert logins.failed("a", 20.5) == Refusal(40, is_first=True)
    assert logins.failed("a", 59.9) == Refusal(1, is_first=False)
    assert logins.failed("a", 60.0) is None
    assert logins.failed("a", 60.5) == Refusal(1, is_first=False)


def test_a_burst_is_told_once_however_long_it_lasts_and_again_after_a_quiet_minute() -> None:
    logins = Logins()
    refusals = [logins.failed("a", float(at)) for at in range(1000)]
    assert sum(each is not None and each.is_first for each in refusals) == 1
    assert burst(logins, "a", 1100.0) == [None] * 10
    assert logins.failed("a", 1100.0) == Refusal(60, is_first=True)


def test_sources_do_not_know_of_each_other_and_there_are_only_so_many() -> None:
    logins = Logins()
    burst(logins, "first", 0.0)
    for number in range(SOURCES - 1):
        logins.failed(f"other-{number}", 0.0)
    assert logins.failed("first", 1.0) is not None
    for number in range(SOURCES):
        logins.failed(f"another-{number}", 1.0)
    assert len(logins._sources) == SOURCES
    assert logins.failed("first", 2.0) is None


@settings(deadline=None)
@given(st.lists(st.floats(0, 20), max_size=100))
def test_never_more_than_ten_failures_a_minute_are_not_refused(pauses: list[float]) -> None:
    logins, now = Logins(), 0.0
    let_through: list[float] = []
    for pause in pauses:
        now += pause
        refusal = logins.failed("a", now)
        recent = [at for at in let_through if now - at < WINDOW_S]
        assert (refusal is not None) == (len(recent) >= FAILURES)
        if refusal is None:
            let_through.append(now)
        else:
            assert now + refusal.retry_after_s >= recent[0] + WINDOW_S > now + refusal.retry_after_s - 1


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("/run/crossfade.sock", "/run/crossfade.sock"),
    ],
)
def test_an_ipv6_network_is_one_source(host: str, source: str) -> None:
    assert source_of(host) == source


def caller(service: Service, host: str, token: str) -> httpx.AsyncClient:
    """Return a client that calls from an address."""
    transport = httpx.ASGITransport(app=service.client._transport.app, client=(host, 1))  # type: ignore[attr-defined]  # set by httpx.ASGITransport
    return httpx.AsyncClient(transport=transport, base_url="http://crossfade", headers={"X-Crossfade-Token": token})


@pytest.mark.parametrize("path", ["/flags", "/route/rag"])
async def test_a_source_that_fails_too_often_is_told_to_wait_and_audited_once(service: Service, path: str) -> None:
    await service.with_rag()
    async with caller(service, "203.0.113.7", "wrong.token") as client:
        assert [(await client.get(path)).status_code for _ in range(13)] == [401] * 10 + [429] * 3
        refused = await client.get(path)
        assert (refused.json()["code"], refused.headers["retry-after"]) == ("rate_limited", "60")
        service.time.seconds += WINDOW_S
        assert (await client.get(path)).status_code == 401
    [event] = [each for each in (await service.ok("GET", "/audit"))["items"] if each["action"] == "login_limited"]
    assert (event["actor"], event["target"]) == ("login", "source:203.0.113.7")
    metrics = (await service.ask("GET", "/metrics")).text
    assert "crossfade_logins_failed_total 15.0" in metrics
    assert "crossfade_logins_limited_total 4.0" in metrics


async def test_a_valid_token_is_answered_behind_the_same_address_and_others_elsewhere(service: Service) -> None:
    async with caller(service, "203.0.113.7", "wrong.token") as client:
        for _ in range(20):
            await client.get("/flags")
    async with caller(service, "203.0.113.7", ADMIN) as client:
        assert (await client.get("/flags")).status_code == 200
    async with caller(service, "203.0.113.8", "wrong.token") as client:
        assert (await client.get("/flags")).status_code == 401


async def test_what_needs_no_token_and_what_is_forbidden_is_no_failed_login(service: Service) -> None:
    made = await service.ok("POST", "/tokens", {"id": "app", "role": "evaluate"})
    async with caller(service, "203.0.113.7", made["token"]) as client:
        assert {(await client.get("/flags")).status_code for _ in range(20)} == {403}
    async with caller(service, "203.0.113.7", "wrong.token") as client:
        assert {(await client.get("/healthz")).status_code for _ in range(20)} == {200}
        assert (await client.get("/flags")).status_code == 401
