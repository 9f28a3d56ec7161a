"""Routes that need no token: a browser's old paths lead there, and no source may have all of the service."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.quotas import BURST_S, SOURCES, Quotas
from app.settings import Settings
from app.sources import caller_behind, networks_of
from tests.inprocess import Service, running, settings_in

OPEN = {"aliases": ["/api/generate-personas", "/personas"], "auth": "none"}


async def with_open_route(service: Service) -> None:
    await service.with_rag()
    await service.ok("PATCH", "/routes/rag", OPEN, if_match="*")


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("/api/generate-personas", ""),
        ("/api/generate-personas/a%2Fb?q=1", "/a%2Fb?q=1"),
        ("/personas", ""),
        ("/api/personas", ""),
        ("/api/personas/x?y", "/x?y"),
    ],
)
async def test_a_browser_calls_its_old_path_without_a_token_with_or_without_api(
    service: Service, path: str, below: str
) -> None:
    await with_open_route(service)
    async with service.token(None) as browser:
        answer = await browser.post(path, content=b"{}")
        preflight = await browser.options(path)
    assert (answer.status_code, preflight.status_code) == (200, 200)
    assert [(call.method, call.path) for _, call in service.script.sent] == [("POST", below), ("OPTIONS", below)]


async def test_the_longer_spelling_of_an_alias_belongs_to_whoever_has_it(service: Service) -> None:
    await service.with_rag()
    other = {**(await service.ok("GET", "/routes/rag")), "name": "other", "aliases": ["/api/x"], "auth": "none"}
    await service.ok("PATCH", "/routes/rag", {"aliases": ["/x"], "auth": "token"}, if_match="*")
    await service.ok("POST", "/routes", other)
    async with service.token(None) as browser:
        assert (await browser.get("/api/x")).status_code == 200
        assert (await browser.get("/x")).status_code == 401


async def test_a_source_without_a_token_may_call_so_often_and_others_are_not_held_up(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, open_calls_per_s=2, trusted_proxies="127.0.0.1")) as service:
        await with_open_route(service)
        async with service.token(None) as browser:
            seen = [(await browser.get("/personas")).status_code for _ in range(5)]
            refused = await browser.get("/personas")
            elsewhere = await browser.get("/personas", headers={"X-Forwarded-For": "192.0.2.7"})
        known = await service.ask("GET", "/personas")
        service.time.seconds += 1
        async with service.token(None) as browser:
            later = await browser.get("/personas")
    assert seen == [200, 200, 200, 200, 429]
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("rate_limited", "1")
    assert (elsewhere.status_code, known.status_code, later.status_code) == (200, 200, 200)


async def test_without_a_limit_nobody_is_refused(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, open_calls_per_s=0)) as service:
        await with_open_route(service)
        async with service.token(None) as browser:
            assert {(await browser.get("/personas")).status_code for _ in range(150)} == {200}


@given(per_s=st.floats(0.1, 100), pauses=st.lists(st.floats(0, 3), min_size=1, max_size=200))
def test_whatever_the_pace_never_more_than_the_quota_is_taken(per_s: float, pauses: list[float]) -> None:
    quotas, now, taken = Quotas(per_s), 1000.0, 0
    for pause in pauses:
        now += pause
        taken += quotas.refusal("s", now) is None
    assert taken <= (now - 1000 - pauses[0]) * per_s + max(1.0, BURST_S * per_s) + 1e-6


@given(per_s=st.floats(0.1, 100))
def test_who_waits_as_told_is_taken(per_s: float) -> None:
    quotas, now = Quotas(per_s), 0.0
    while (wait_s := quotas.refusal("s", now)) is None:
        pass
    assert wait_s >= 1
    assert quotas.refusal("s", now + wait_s) is None


def test_so_many_sources_are_known_and_no_more() -> None:
    quotas = Quotas(0.001)
    assert quotas.refusal("first", 0.0) is None
    assert quotas.refusal("first", 0.0) is not None
    assert all(quotas.refusal(str(number), 0.0) is None for number in range(SOURCES))
    assert quotas.refusal("first", 0.0) is None


@pytest.mark.parametrize(
    ("peer", "told", "caller"),
    [
        ("192.0.2.9", "198.51.100.1", "192.0.2.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "203.0.113.66, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("unknown", "198.51.100.1", "unknown"),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(peer: str, told: str, caller: str) -> None:
    headers = [(b"x-forwarded-for", told.encode())]
    assert caller_behind(peer, headers, networks_of("10.0.0.0/8, ::1")) == caller


def test_a_proxy_that_is_no_network_is_refused() -> None:
    with pytest.raises(ValidationError):
        Settings(trusted_proxies="10.0.0.0/8,everyone")


async def test_a_token_of_ours_that_has_expired_is_not_the_backends_either(service: Service) -> None:
    await with_open_route(service)
    expires = (service.services.clock.now() + timedelta(seconds=5)).isoformat()
    token = (await service.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "expires_at": expires}))["token"]
    service.time.seconds += 10
    async with service.token(None) as browser:
        for shown in (token, "of-the-backend"):
            answer = await browser.get("/route/rag", headers={"Authorization": f"Bearer {shown}"})
            assert answer.status_code == 200
    sent = [[value for name, value in call.headers if name == b"authorization"] for _, call in service.script.sent]
    assert sent == [[], [b"Bearer of-the-backend"]]
