"""`/alerts/webhook`: what is taken in, what is counted as the same, what is refused, and what is listed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.alerts.acting import SAME_S
from tests.app.alerts.raising import CRITICAL, WEBHOOK, firing, group, killed, listed, raised, raised_with
from tests.inprocess import ADMIN, Service, running, settings_in

DAY_S = 86_400.0


async def test_a_body_of_ours_is_taken_and_listed(service: Service) -> None:
    await service.with_rag(50)
    answer = await raised(service, {"type": "latency", "severity": "warning", "value": 900, "threshold": 800})
    assert answer.status_code == 200
    assert answer.json() | {"alerts": []} == {"alerts": [], "kept": True, "note": ""}
    [alert] = await listed(service)
    assert (alert["type"], alert["severity"], alert["value"], alert["threshold"]) == ("latency", "warning", 900, 800)
    assert (alert["route"], alert["did"], alert["times"], alert["by"]) == ("rag", "nothing", 1, "alert")
    assert await killed(service) == []


async def test_a_critical_one_kills_the_flag_of_its_route_and_the_audit_says_why(service: Service) -> None:
    await service.with_rag(50)
    [told] = (await raised(service, {**CRITICAL, "route": "rag"}, "")).json()["alerts"]
    assert told["did"] == "killed"
    assert await killed(service) == ["flag:rag-v2"]
    [event] = [each for each in (await service.ok("GET", "/audit"))["items"] if each["target"].startswith("kill:")]
    assert (event["actor"], event["action"]) == ("alert", "create")
    assert event["reason"] == "critical alert error_rate 0.5, threshold 0.1"


async def test_what_an_alertmanager_sends_is_taken_and_acted_on(service: Service) -> None:
    await service.with_rag(50)
    answer = await raised(service, group(firing("warning", fingerprint="b"), firing(labels={"route": "rag"})), "")
    assert [(each["severity"], each["did"]) for each in answer.json()["alerts"]] == [
        ("critical", "killed"),
        ("warning", "nothing"),
    ]
    alert = (await listed(service, "?severity=critical"))[0]
    assert (alert["type"], alert["summary"]) == ("PersonaErrors", "2.5 % of the calls fail.")
    assert alert["fingerprint"] == "1a30ba71cca2921f"
    assert alert["labels"]["route"] == "rag"
    assert await killed(service) == ["flag:rag-v2"]


async def test_a_label_names_the_route_before_the_address_does(service: Service) -> None:
    await service.with_rag(50)
    [told] = (await raised(service, group(firing(labels={"route": "elsewhere"})))).json()["alerts"]
    assert (told["did"], told["note"]) == ("nothing", 'there is no route "elsewhere"')
    assert await killed(service) == []


async def test_a_critical_one_without_a_route_is_kept_and_told_what_it_lacks(service: Service) -> None:
    await service.with_rag(50)
    [told] = (await raised(service, CRITICAL, "")).json()["alerts"]
    assert told["did"] == "nothing"
    assert "?route=NAME" in told["note"]
    assert len(await listed(service)) == 1


async def test_what_is_resolved_raises_nothing_and_ends_the_alert_that_it_is(service: Service) -> None:
    await service.with_rag(50)
    await raised(service, group(firing(status="resolved", fingerprint="never-fired")))
    assert await killed(service) == []
    await raised(service, group(firing()))
    await service.ok("DELETE", "/flags/rag-v2/kill")
    service.time.seconds += DAY_S
    assert (await raised(service, group(firing(status="resolved")))).status_code == 200
    assert await killed(service) == []
    alert, never = await listed(service)
    assert (alert["status"], alert["did"], alert["times"]) == ("resolved", "killed", 1)
    assert (never["status"], never["did"]) == ("resolved", "nothing")


async def test_the_same_alert_within_five_minutes_counts_up_and_acts_once(service: Service) -> None:
    await service.with_rag(50)
    await raised(service, CRITICAL)
    await service.ok("DELETE", "/flags/rag-v2/kill")
    service.time.seconds += SAME_S - 1
    [told] = (await raised(service, {**CRITICAL, "value": 0.9})).json()["alerts"]
    assert (told["did"], told["note"]) == ("nothing", "it was acted on already")
    assert await killed(service) == []
    [alert] = await listed(service)
    assert (alert["times"], alert["value"], alert["did"]) == (2, 0.9, "killed")
    assert alert["at"] < alert["last_at"]


async def test_the_same_alert_later_is_another_and_acts_again(service: Service) -> None:
    await service.with_rag(50)
    await raised(service, CRITICAL)
    await service.ok("DELETE", "/flags/rag-v2/kill")
    service.time.seconds += SAME_S
    assert (await raised(service, CRITICAL)).json()["alerts"][0]["did"] == "killed"
    assert [each["times"] for each in await listed(service)] == [1, 1]


async def test_many_at_once_kill_once_and_count_as_one(service: Service) -> None:
    await service.with_rag(50)
    answers = await asyncio.gather(*(raised(service, CRITICAL) for _ in range(20)))
    assert {each.status_code for each in answers} == {200}
    assert sorted(each.json()["alerts"][0]["did"] for each in answers) == ["killed", *["nothing"] * 19]
    assert [each["times"] for each in await listed(service)] == [20]
    assert await killed(service) == ["flag:rag-v2"]


async def test_a_flag_that_is_killed_already_is_not_killed_again(service: Service) -> None:
    await service.with_rag(50)
    await service.ok("POST", "/kill-switch", {"scope": "route:rag"})
    [told] = (await raised(service, CRITICAL)).json()["alerts"]
    assert (told["did"], told["note"]) == ("nothing", 'flag "rag-v2" is killed already')
    assert await killed(service) == ["route:rag"]


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("CRITICAL", "critical"),
        (" Page ", "critical"),
        ("fatal", "critical"),
        ("warn", "warning"),
        ("none", "info"),
        ("err", "error"),
        ("sev-3", "warning"),
        (None, "warning"),
    ],
)
async def test_an_alertmanagers_words_for_severities_are_understood(
    service: Service, said: str | None, severity: str
) -> None:
    await service.with_rag(50)
    assert (await raised(service, group(firing(said)))).json()["alerts"][0]["severity"] == severity


async def test_alerts_are_listed_newest_first_in_pages_and_by_what_is_asked(service: Service) -> None:
    await service.with_rag(50)
    for number, severity in enumerate(["error", "info", "error", "warning", "error"]):
        await raised(service, {"type": f"t{number}", "severity": severity}, "?route=rag" if number else "")
        service.time.seconds += 60
    first = await service.ok("GET", "/alerts/webhook?severity=error&limit=2")
    assert [each["type"] for each in first["items"]] == ["t4", "t2"]
    rest = await service.ok("GET", f"/alerts/webhook?severity=error&limit=2&before={first['next']}")
    assert ([each["type"] for each in rest["items"]], rest["next"]) == (["t0"], None)
    assert [each["type"] for each in await listed(service, "?severity=error&route=rag")] == ["t4", "t2"]
    since = (await listed(service))[1]["last_at"]
    assert [each["type"] for each in await listed(service, f"?since={since}")] == ["t4", "t3"]
    refused = await service.ask("GET", "/alerts/webhook?since=0001-01-01T00:00:00%2B14:00")
    assert refused.json()["detail"] == "since: is no time that UTC can name"


async def test_alerts_are_forgotten_after_thirty_days(service: Service) -> None:
    await raised(service, CRITICAL, "")
    service.time.seconds += 31 * DAY_S
    await raised(service, {**CRITICAL, "type": "new"}, "")
    assert [each["type"] for each in await listed(service)] == ["new"]


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("", {**CRITICAL, "extra": 1}, 422, "extra: unknown field"),
        ("", {"severity": "critical"}, 422, "type"),
        ("", {**CRITICAL, "severity": "bad"}, 422, "'info', 'warning', 'error' or 'critical'"),
        ("", {**CRITICAL, "route": "nowhere"}, 404, 'there is no route "nowhere"'),
        ("?route=nowhere", CRITICAL, 404, 'there is no route "nowhere"'),
        ("?route=NO!", CRITICAL, 422, "route"),
    ],
)
async def test_what_cannot_be_taken_is_told_why(
    service: Service, path: str, body: dict[str, Any], status: int, told: str
) -> None:
    await service.with_rag(50)
    refused = await raised(service, body, path)
    assert (refused.status_code, told in refused.json()["detail"]) == (status, True), refused.text
    assert await listed(service) == []
    assert await killed(service) == []


UGLY: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b'"critical"',
    b"{}",
    b"{",
    b'{"alerts": null}',
    b'{"alerts": {}}',
    b'{"alerts": [null]}',
    b'{"alerts": [{"labels": []}]}',
    b'{"alerts": [{"status": "maybe"}]}',
    b'{"alerts": [{"startsAt": 7}]}',
    b'{"type": "", "severity": "critical"}',
    b'{"type": "a\\u0000b", "severity": "critical"}',
    b'{"type": "a", "severity": ["critical"]}',
    b'{"type": "a", "severity": "critical", "value": "0.5"}',
    b'{"type": "a", "severity": "critical", "value": true}',
    b'{"type": "a", "severity": "critical", "value": 1e999}',
    b'{"type": "a", "severity": "critical", "value": NaN}',
    b'{"type": "a", "type": "b", "severity": "critical"}',
    b'{"type": "\\ud800", "severity": "critical"}',
    b'{"type": "a", "severity": "critical", "route": "../rag"}',
    b'{"type": "' + b"a" * 201 + b'", "severity": "critical"}',
    b'{"type": "a", "severity": "critical", "x": ' + b"[" * 99 + b"]" * 99 + b"}",
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", UGLY)
async def test_ugly_bodies_are_refused_and_do_nothing(service: Service, body: bytes) -> None:
    await service.with_rag(50)
    async with raised_with(service) as client:
        refused = await client.post(f"{WEBHOOK}?route=rag", content=body)
    assert refused.status_code in {400, 422}, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert await killed(service) == []
    assert await listed(service) == []


@pytest.mark.parametrize(
    "alert",
    [
        {},
        {"labels": {}, "annotations": None},
        {"labels": {"alertname": "a\x00b", "severity": "critical\x00"}, "fingerprint": "\x00"},
        {"labels": {"alertname": 7, "severity": None, "deep": {"a": [1]}}, "annotations": {"summary": ["x"]}},
        {"labels": {f"l{number}": "x" * 9000 for number in range(500)}, "fingerprint": "f" * 9000},
        {"startsAt": "0001-01-01T00:00:00+14:00", "values": {"B": 1e300}, "valueString": "[ x ]", "silenceURL": ""},
        {"labels": {"alertname": "<!channel> ünïcödé 🎉", "severity": "critical"}},
    ],
)
async def test_odd_alerts_of_an_alertmanager_are_taken_all_the_same(service: Service, alert: dict[str, Any]) -> None:
    await service.with_rag(50)
    answer = await raised(service, {"alerts": [alert], "unknown": [1]})
    assert answer.status_code == 200, answer.text
    [kept] = await listed(service)
    assert kept["type"]
    assert len(str(kept)) < 50_000


async def test_a_storm_is_acted_on_whatever_is_kept_of_it(service: Service) -> None:
    await service.with_rag(50)
    storm = [firing("info", fingerprint=f"{number}") for number in range(600)]
    answer = await raised(service, group(*storm, firing(fingerprint="the one")))
    assert answer.json()["alerts"][0]["did"] == "killed"
    assert len(await listed(service, "?limit=1000")) == 500


async def test_no_alerts_at_all_are_nothing(service: Service) -> None:
    answer = await raised(service, group(), "")
    assert (answer.status_code, answer.json()) == (200, {"alerts": [], "kept": True, "note": ""})


@pytest.mark.parametrize(("role", "status"), [("operate", 200), ("kill", 200), ("alert", 200), ("read", 403)])
async def test_tokens_may_raise_alerts_too_and_the_audit_names_them(service: Service, role: str, status: int) -> None:
    await service.with_rag(50)
    made = await service.ok("POST", "/tokens", {"id": "grafana", "role": role})
    async with raised_with(service, made["token"]) as client:
        assert (await client.post(f"{WEBHOOK}?route=rag", json=CRITICAL)).status_code == status
    actors = {each["actor"] for each in (await service.ok("GET", "/audit"))["items"] if "kill:" in each["target"]}
    assert actors == ({"grafana"} if status == 200 else set())


async def test_the_secret_opens_nothing_else(service: Service) -> None:
    await service.with_rag(50)
    async with raised_with(service) as client:
        for method, path in (("GET", WEBHOOK), ("GET", "/flags"), ("POST", "/kill-switch"), ("GET", "/route/rag")):
            assert (await client.request(method, path)).status_code == 403, path


async def test_without_a_secret_in_the_settings_the_answer_says_what_to_set(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path, alert_secret=None)) as service:
        await service.with_rag(50)
        async with raised_with(service) as client:
            answers = [await client.post(WEBHOOK, json=CRITICAL) for _ in range(11)]
            listing = await client.get(WEBHOOK)
        first, last = answers[0], answers[-1]
        assert (first.status_code, first.json()["code"]) == (503, "alert_secret_unset")
        assert "CROSSFADE_ALERT_SECRET" in first.json()["detail"]
        assert (last.status_code, last.json()["code"]) == (429, "rate_limited")
        assert listing.status_code == 429
        async with raised_with(service, ADMIN) as client:
            assert (await client.post(f"{WEBHOOK}?route=rag", json=CRITICAL)).json()["alerts"][0]["did"] == "killed"


@pytest.mark.parametrize("secret", ["", "x", "alert-secret-of-the-test", "alert.x", "alert-secret-of-the-tests "])
async def test_a_wrong_secret_is_refused_and_counted(service: Service, secret: str) -> None:
    async with raised_with(service, secret) as client:
        answer = await client.post(WEBHOOK, json=CRITICAL)
    # white space around a token is none of it
    assert answer.status_code == (200 if secret.endswith(" ") else 401)


async def test_alerts_are_counted_by_severity_and_by_what_was_done(service: Service) -> None:
    await service.with_rag(50)
    await raised(service, CRITICAL)
    await raised(service, {"type": "a", "severity": "info"})
    metrics = (await service.ask("GET", "/metrics")).text
    assert 'crossfade_alerts_total{did="killed",severity="critical"} 1.0' in metrics
    assert 'crossfade_alerts_total{did="nothing",severity="info"} 1.0' in metrics
