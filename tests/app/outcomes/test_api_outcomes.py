from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.outcomes.model import METADATA_BYTES, MODEL_BYTES, MOST
from tests.app.outcomes.reporting import decision_of, exported, report, waiting
from tests.inprocess import Service, running, settings_in

DAY_S = 86_400


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Run a service with the route `rag`, everyone on the new side, that writes outcomes at once."""
    async with running(settings_in(tmp_path, outcome_flush_s=0.01)) as each:
        await each.with_rag(100)
        yield each


async def test_an_outcome_counts_for_the_side_that_was_decided_then(service: Service) -> None:
    answer = await service.ask("POST", "/route/rag/query", {}, X_User_Id="user-1")
    decision_id = answer.headers["x-crossfade-decision-id"]
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 0})
    service.time.seconds += 60
    told = await report(service, {"decision_id": decision_id, "id": "a", "kind": "rating", "value": 4.5})
    assert (told.status_code, told.json()) == (202, {"accepted": 1, "refused": []})
    [kept] = await exported(service, 1)
    assert kept == {
        "id": "a",
        "kind": "rating",
        "at": "2027-01-15T08:01:00.000000+00:00",
        "received_at": "2027-01-15T08:01:00.000000+00:00",
        "route": "rag",
        "side": "new",
        "served": "new",
        "reason": "SPLIT",
        "flag_version": 2,
        "unit": kept["unit"],
        "decision_id": decision_id,
        "decided_at": "2027-01-15T08:00:00.000000+00:00",
        "attributed_by": "decision",
        "rollout": None,
        "value": 4.5,
        "metadata": {},
        "model": None,
    }


async def test_who_was_served_by_the_fallback_counts_for_the_side_that_was_decided(service: Service) -> None:
    await service.ok("POST", "/breakers/rag/new/open")
    answer = await service.ask("POST", "/route/rag/query", {}, X_User_Id="user-1")
    await report(service, {"decision_id": answer.headers["x-crossfade-decision-id"], "kind": "like"})
    [kept] = await exported(service, 1)
    assert (kept["side"], kept["served"]) == ("new", "legacy")


async def test_an_outcome_of_a_unit_counts_for_the_side_the_unit_is_on_now(service: Service) -> None:
    await report(service, {"route": "rag", "unit": "user-1", "kind": "like"})
    await report(service, {"decision_id": await decision_of(service), "kind": "share"})
    by_unit, by_decision = await exported(service, 2)
    assert (by_unit["side"], by_unit["served"], by_unit["attributed_by"]) == ("new", None, "unit")
    assert by_unit["unit"] == by_decision["unit"]
    assert by_unit["decision_id"] is None


async def test_a_unit_may_stand_inside_an_attribute(service: Service) -> None:
    await service.ok("PATCH", "/flags/rag-v2", {"bucket_by": "/user/id"}, if_match="*")
    await service.ok("PATCH", "/routes/rag", {"attributes": {"user": {"json": "user"}}}, if_match="*")
    answer = await service.ask("POST", "/route/rag/query", {"user": {"id": "user-1"}})
    await report(service, {"route": "rag", "unit": "user-1", "kind": "like"})
    await report(service, {"decision_id": answer.headers["x-crossfade-decision-id"], "kind": "share"})
    by_unit, by_decision = await exported(service, 2)
    assert (by_unit["side"], by_decision["side"]) == ("new", "new")
    assert by_unit["unit"] == by_decision["unit"]


async def test_a_unit_is_what_the_default_is_split_by(service: Service) -> None:
    split = [{"variant": "new", "weight": 50_000}, {"variant": "legacy", "weight": 50_000}]
    default = {"split": split, "by": ["tenant", "session"]}
    await service.ok("PATCH", "/flags/rag-v2", {"default": default}, if_match="*")
    attributes = {name: {"header": f"X-{name}"} for name in ("tenant", "session")}
    await service.ok("PATCH", "/routes/rag", {"attributes": attributes}, if_match="*")
    for number in range(8):
        header = {"X_tenant": f"u{number}"} if number % 2 else {"X_session": f"u{number}"}
        answer = await service.ask("POST", "/route/rag/query", {}, **header, X_User_Id="user-1")
        await report(service, {"route": "rag", "unit": f"u{number}", "kind": "like"})
        await report(service, {"decision_id": answer.headers["x-crossfade-decision-id"], "kind": "share"})
    kept = await exported(service, 16)
    assert [(each["side"], each["unit"]) for each in kept[::2]] == [(each["side"], each["unit"]) for each in kept[1::2]]
    assert {each["side"] for each in kept} == {"new", "legacy"}


async def test_a_late_outcome_is_kept_and_counts_for_no_side(service: Service) -> None:
    decision_id = await decision_of(service)
    in_time = datetime.fromtimestamp(service.time.seconds + 7 * DAY_S, UTC).isoformat()
    service.time.seconds += 7 * DAY_S + 1
    await report(service, {"decision_id": decision_id, "kind": "like"})
    await report(service, {"decision_id": decision_id, "kind": "share", "at": in_time})
    late, other = await exported(service, 2)
    assert (late["side"], late["attributed_by"], late["decision_id"]) == (None, "late", decision_id)
    assert (other["side"], other["attributed_by"]) == ("new", "decision")


async def test_the_same_outcome_sent_again_is_kept_once_the_first_time(service: Service) -> None:
    decision_id = await decision_of(service)
    for value in (1, 2):
        same = {"decision_id": decision_id, "id": "same", "kind": "rating", "value": value}
        assert (await report(service, same, same)).json()["accepted"] == 2
    await report(service, {"decision_id": decision_id, "kind": "like"}, {"decision_id": decision_id, "kind": "like"})
    kept = await exported(service, 3)
    assert [each["value"] for each in kept if each["id"] == "same"] == [1.0]
    assert sorted(each["kind"] for each in kept) == ["like", "like", "rating"]
    metrics = (await service.ask("GET", "/metrics")).text
    assert 'crossfade_outcomes_total{result="accepted"} 6.0' in metrics
    assert 'crossfade_outcomes_kept_total{result="duplicate"} 3.0' in metrics


async def test_good_outcomes_are_taken_though_others_are_refused(service: Service) -> None:
    good = {"decision_id": await decision_of(service), "kind": "like"}
    told = await report(service, {"kind": "like"}, good, {**good, "kind": "rating"}, good, "like")
    assert (told.status_code, told.json()["accepted"]) == (202, 2)
    assert [(each["index"], each["code"]) for each in told.json()["refused"]] == [
        (0, "invalid_outcome"),
        (2, "invalid_outcome"),
        (4, "invalid_outcome"),
    ]
    assert len(await exported(service, 2)) == 2


async def refusal(service: Service, outcome: Any) -> str:
    told = await report(service, outcome)
    assert (told.status_code, told.json()["code"]) == (422, "outcomes_refused")
    [refused] = told.json()["refused"]
    code: str = refused["code"]
    return code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"decision_id": "made~up"}, "unknown_decision"),
        ({"decision_id": "a~b~c~d~1~0~~1~unsigned"}, "unsigned_decision"),
        ({"decision_id": "ü"}, "unknown_decision"),
        ({"decision_id": None, "route": "none", "unit": "u"}, "unknown_route"),
        ({"decision_id": None, "route": "rag"}, "invalid_outcome"),
        ({"route": "rag", "unit": "u"}, "invalid_outcome"),
        ({"at": "2027-01-15T08:05:01Z"}, "in_the_future"),
        ({"at": "2026-10-17T07:59:59Z"}, "too_old"),
        ({"at": "2027-01-15T08:00:00"}, "invalid_outcome"),
        ({"at": 1_800_000_000}, "invalid_outcome"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "invalid_outcome"),
        ({"at": "9999-12-31T23:59:59-14:00"}, "invalid_outcome"),
        ({"kind": "call"}, "invalid_outcome"),
        ({"kind": "Like"}, "invalid_outcome"),
        ({"kind": "latency"}, "invalid_outcome"),
        ({"value": True}, "invalid_outcome"),
        ({"value": "1"}, "invalid_outcome"),
        ({"id": "with space"}, "invalid_outcome"),
        ({"extra": 1}, "invalid_outcome"),
        ({"metadata": {"x": "\x00"}}, "invalid_outcome"),
        ({"metadata": {"x": "x" * METADATA_BYTES}}, "too_large"),
        ({"model": {"inputs": "x" * MODEL_BYTES}}, "too_large"),
    ],
)
async def test_what_cannot_be_taken_is_refused_and_says_why(service: Service, change: Any, code: str) -> None:
    outcome = {"decision_id": await decision_of(service), "kind": "like", **change}
    assert await refusal(service, outcome) == code


async def test_a_side_that_was_not_decided_cannot_be_reported_for(service: Service) -> None:
    decision_id = await decision_of(service)
    forged = decision_id.replace("rag~new", "rag~legacy", 1)
    assert forged != decision_id
    assert await refusal(service, {"decision_id": forged, "kind": "like"}) == "unknown_decision"


@pytest.mark.parametrize("body", [{}, [], {"outcomes": []}, {"outcomes": {}}, {"outcomes": [{}], "more": 1}])
async def test_a_body_of_another_form_is_refused(service: Service, body: Any) -> None:
    told = await service.ask("POST", "/outcomes", body)
    assert (told.status_code, told.json()["code"]) == (422, "invalid_request")


async def test_a_batch_has_a_bound(service: Service) -> None:
    one = {"route": "rag", "unit": "u", "kind": "like"}
    assert (await report(service, *[one] * MOST)).json()["accepted"] == MOST
    assert (await report(service, *[one] * (MOST + 1))).status_code == 422


async def test_a_scoped_token_reports_of_its_own_routes(service: Service) -> None:
    made = await service.ok("POST", "/tokens", {"id": "persona", "role": "evaluate", "scopes": ["route:persona"]})
    other = await service.ok("POST", "/tokens", {"id": "rag", "role": "evaluate", "scopes": ["flag:rag-v2"]})
    body = {"outcomes": [{"decision_id": await decision_of(service), "kind": "like"}]}
    async with service.token(made["token"]) as stranger, service.token(other["token"]) as own:
        refused = await stranger.post("/outcomes", json=body)
        assert [each["code"] for each in refused.json()["refused"]] == ["forbidden"]
        assert (await own.post("/outcomes", json=body)).status_code == 202


async def test_kinds_of_ones_own_and_everything_about_a_model_are_kept(service: Service) -> None:
    model = {"version": "m3", "inputs": {"age": 7, "x": 1.0}, "outputs": ["a"], "rules": None, "scores": [0.5]}
    metadata = {"shelf": "top", "of": {"many": [1, 1.0, "ü", "\\u0000"]}}
    outcome = {"decision_id": await decision_of(service), "kind": "x-bought", "metadata": metadata, "model": model}
    assert (await report(service, outcome)).status_code == 202
    [kept] = await exported(service, 1)
    assert (kept["kind"], kept["metadata"], kept["model"]) == ("x-bought", metadata, model)


async def test_without_room_nothing_is_taken_and_it_is_said_when_to_try_again(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, outcome_flush_s=30, outcome_buffer_bytes=1_048_576)
    async with running(settings) as service:
        await service.with_rag(100)
        batch = [{"route": "rag", "unit": f"u{number}", "kind": "like"} for number in range(700)]
        assert (await report(service, *batch)).status_code == 202
        full = await report(service, *batch)
        assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (429, "outcomes_full", "30")
        assert waiting(service) == 700


@pytest.mark.parametrize(("depth", "status", "code"), [(300, 422, "outcomes_refused"), (5000, 400, "malformed_json")])
async def test_what_is_nested_too_deep_is_refused(service: Service, depth: int, status: int, code: str) -> None:
    deep = b'{"outcomes": [{"kind": "like", "route": "rag", "unit": "u", "metadata": {"x": %b%b}}]}'
    answer = await service.client.post("/outcomes", content=deep % (b"[" * depth, b"]" * depth))
    assert (answer.status_code, answer.json()["code"]) == (status, code)
