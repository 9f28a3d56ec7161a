"""Flags that change by themselves, over HTTP, at the times of a clock that the test turns."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app import bootstrap
from tests.inprocess import FLAG, Service, running, settings_in

HOUR = 3600.0
PLAN = {
    "name": "rag-v2",
    "flag": "rag-v2",
    "route": "rag",
    "steps": [{"percentage": 50, "gates": ["errors"]}, {"percentage": 100, "gates": ["errors"]}],
    "gates": {"errors": {"metric": "error_rate", "absolute_max": 0.01}},
    "guardrails": ["errors"],
}
NINE = {"at": "2027-01-15T09:00:00Z", "percentage": 25}
TEN = {"at": "2027-01-15T11:00:00+01:00", "percentage": 50}
RAMP = {"at": "2027-01-15T09:00:00Z", "until": "2027-01-15T11:00:00Z", "ramp": {"from": 0, "to": 75}}
"""Of a clock that begins at 2027-01-15T08:00:00Z."""


async def scheduled(service: Service, *entries: dict[str, Any]) -> None:
    await service.ok("POST", "/flags", {**FLAG, "schedule": [*entries]})


async def share(service: Service) -> float:
    return float((await service.ok("GET", "/flags/rag-v2/schedule"))["percentage"])


async def test_a_schedule_is_kept_as_it_was_written_and_can_be_written_back(service: Service) -> None:
    await scheduled(service, NINE, TEN)
    service.time.seconds += 2 * HOUR
    got = await service.ask("GET", "/flags/rag-v2")
    assert [entry["at"] for entry in got.json()["schedule"]] == [NINE["at"], TEN["at"]]
    again = await service.ok("PUT", "/flags/rag-v2", got.json(), if_match=got.headers["ETag"])
    assert again == {**got.json(), "version": 2, "updated_at": again["updated_at"]}
    assert await share(service) == 50


async def test_a_schedule_outlives_a_start_and_acts_without_anybody(tmp_path: Path) -> None:
    async with running(settings_in(tmp_path)) as service:
        await scheduled(service, NINE)
    async with running(settings_in(tmp_path)) as service:
        assert await share(service) == 0
        service.time.seconds += HOUR
        assert await share(service) == 25


async def test_what_a_schedule_has_made_of_a_flag_is_shown_with_what_comes_next(service: Service) -> None:
    await scheduled(service, RAMP, {"at": "2027-01-15T12:00:00Z", "enabled": False})
    service.time.seconds += 2 * HOUR
    shown = await service.ok("GET", "/flags/rag-v2/schedule")
    assert (shown["percentage"], shown["variant"], shown["enabled"], shown["killed"]) == (37.5, "new", True, False)
    assert [(each["state"], each["does"]) for each in shown["entries"]] == [
        ("running", "ramp 0 to 75 %"),
        ("to_come", "disable"),
    ]
    assert (shown["next"]["at"], shown["next_change"]) == ("2027-01-15T12:00:00Z", "2027-01-15T10:01:00Z")
    service.time.seconds += 2 * HOUR
    over = await service.ok("GET", "/flags/rag-v2/schedule")
    assert (over["percentage"], over["enabled"], over["next"], over["next_change"]) == (75, False, None, None)


async def test_flags_are_listed_as_written_or_as_they_are_in_force(service: Service) -> None:
    await scheduled(service, NINE)
    service.time.seconds += HOUR
    [written] = (await service.ok("GET", "/flags"))["items"]
    [in_force] = (await service.ok("GET", "/flags?in_force=true"))["items"]
    assert written["default"]["split"][0]["weight"] == 0
    assert in_force["default"]["split"][0]["weight"] == 25_000
    assert await service.ok("GET", "/flags/rag-v2?in_force=true") == in_force
    assert "schedule" not in in_force


async def test_an_evaluation_shows_the_entry_in_force_and_can_look_ahead(service: Service) -> None:
    await scheduled(service, {"at": "2027-01-15T09:00:00Z", "serve": {"variant": "new"}})
    now = await service.ok("POST", "/flags/rag-v2/evaluate", {"context": {"targetingKey": "u"}})
    assert (now["variant"], now["trace"][0]["step"]) == ("legacy", "schedule: nothing has begun")
    assert "at" not in now
    asked = {"context": {"targetingKey": "u"}, "at": "2027-01-15T10:00:00+01:00"}
    then = await service.ok("POST", "/flags/rag-v2/evaluate", asked)
    assert (then["variant"], then["at"]) == ("new", asked["at"])
    assert then["trace"][0] == {
        "step": "schedule 0: serve new since 2027-01-15T09:00:00+00:00",
        "decided": False,
    }
    wrong = await service.ask("POST", "/flags/rag-v2/evaluate", {**asked, "at": "2027-01-15T10:00:00"})
    assert wrong.status_code == 422


async def test_decisions_of_a_route_follow_the_schedule(service: Service) -> None:
    await service.with_rag()
    await service.ok("PATCH", "/flags/rag-v2", {"schedule": [{**NINE, "percentage": 100}]}, if_match="*")
    asked = {"context": {"targetingKey": "u"}}
    before = await service.ok("POST", "/routes/rag/decision", asked)
    service.time.seconds += HOUR
    after = await service.ok("POST", "/routes/rag/decision", asked)
    assert (before["backend"], after["backend"]) == ("legacy", "new")
    [route] = (await service.ok("GET", "/monitoring/dashboard"))["routes"]
    assert {each["variant"]: each["percentage"] for each in route["served"]} == {"new": 100, "legacy": 0}


async def test_a_hands_percentage_drops_what_has_begun_and_says_so(service: Service) -> None:
    later = {"at": "2027-01-15T12:00:00Z", "percentage": 90}
    await scheduled(service, RAMP, later)
    service.time.seconds += 2 * HOUR
    flag = await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 10})
    assert [entry["ramp"] for entry in flag["dropped"]] == [{"from": 0.0, "to": 75.0}]
    assert flag["schedule"] == [later]
    assert await share(service) == 10
    again = await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 11})
    assert "dropped" not in again
    service.time.seconds += 2 * HOUR
    assert await share(service) == 90


@pytest.mark.parametrize(
    ("entry", "first"),
    [
        ({**TEN, "percentage": 0}, {"percentage": 0}),
        ({"at": NINE["at"], "until": "2027-01-15T10:00:00Z", "ramp": {"from": 30, "to": 5}}, {"percentage": 5}),
    ],
)
async def test_clearing_a_schedule_that_lowers_a_killed_flag_is_refused_with_the_reason_and_the_way_out(
    service: Service, entry: dict[str, Any], first: dict[str, Any]
) -> None:
    await scheduled(service, entry)
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 30})
    await service.ok("POST", "/flags/rag-v2/kill")
    refused = await service.ask("DELETE", "/flags/rag-v2/schedule")
    assert (refused.status_code, refused.json()["code"]) == (409, "killed")
    told = (
        "would give more callers something other than its off variant by 2027-01-15T10:00:00+00:00 without its schedule"
    )
    assert told in refused.json()["detail"]
    assert "or set what its schedule comes to by then" in refused.json()["detail"]
    await service.ok("PUT", "/flags/rag-v2/rollout", first)
    assert (await service.ok("DELETE", "/flags/rag-v2/schedule"))["entries"] == []


async def test_raising_a_killed_flag_is_refused_with_the_reason(service: Service) -> None:
    await scheduled(service)
    await service.ok("POST", "/flags/rag-v2/kill")
    refused = await service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 1})
    told = refused.json()["detail"]
    assert 'flag "rag-v2" is killed, and may give more callers something other than its off variant after this' in told
    later = await service.ask("POST", "/flags/rag-v2/schedule", {"entry": NINE})
    assert "by 2027-01-15T09:00:00+00:00 after this" in later.json()["detail"]


async def test_a_changed_environment_wins_over_what_has_begun(service: Service) -> None:
    await service.ok("POST", "/flags", {**FLAG, "env": "FF_RAG", "schedule": [NINE, TEN]})
    service.time.seconds += HOUR
    live, changes = service.services.live, service.services.changes
    await bootstrap.apply_environment(live.state, {"FF_RAG": "5"}, changes, service.time.seconds)
    shown = await service.ok("GET", "/flags/rag-v2/schedule")
    assert (shown["percentage"], [entry["state"] for entry in shown["entries"]]) == (5, ["to_come"])


async def test_entries_are_added_in_their_places_and_cleared_with_what_they_did_left(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG)
    await service.ok("POST", "/flags/rag-v2/schedule", {"entry": TEN, "reason": "as agreed"})
    shown = await service.ok("POST", "/flags/rag-v2/schedule", {"entry": NINE}, if_match="2")
    assert [entry["percentage"] for entry in shown["entries"]] == [25, 50]
    service.time.seconds += HOUR
    cleared = await service.ok("DELETE", "/flags/rag-v2/schedule", {"reason": "not today"})
    assert (cleared["percentage"], cleared["entries"], cleared["version"]) == (25, [], 4)
    [newest, *_] = (await service.ok("GET", "/flags/rag-v2/history"))["items"]
    assert (newest["action"], newest["reason"]) == ("update", "not today")


async def test_an_entry_that_does_not_fit_is_refused_where_it_is(service: Service) -> None:
    await scheduled(service, RAMP)
    within = await service.ask("POST", "/flags/rag-v2/schedule", {"entry": TEN})
    fine = await service.ask("POST", "/flags/rag-v2/schedule", {"entry": {**NINE, "percentage": 0.0001}})
    assert (within.status_code, fine.status_code) == (422, 422)
    assert "must come after what stands before it" in within.json()["detail"]
    assert "three decimals at most" in fine.json()["detail"]
    unknown = await service.ask("GET", "/flags/missing/schedule")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_flag")


async def test_a_full_schedule_makes_room_by_what_is_done(service: Service) -> None:
    await scheduled(service, *({"at": f"2027-01-15T09:00:{at:02}Z", "percentage": at} for at in range(59)))
    for minute in range(5):
        entry = {"at": f"2027-01-15T10:0{minute}:00Z", "percentage": 80}
        await service.ok("POST", "/flags/rag-v2/schedule", {"entry": entry})
    full = await service.ask("POST", "/flags/rag-v2/schedule", {"entry": {**TEN, "at": "2027-01-15T10:30:00Z"}})
    assert full.status_code == 422
    service.time.seconds += HOUR + 60
    shown = await service.ok("POST", "/flags/rag-v2/schedule", {"entry": {**TEN, "at": "2027-01-15T10:30:00Z"}})
    assert (shown["percentage"], len(shown["entries"])) == (58, 6)


async def test_an_operator_schedules_percentages_and_only_an_admin_more(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG)
    made = await service.ok("POST", "/tokens", {"id": "pm", "role": "operate"})
    off = {"at": "2027-01-15T12:00:00Z", "enabled": False}
    async with service.token(made["token"]) as product_manager:
        added = await product_manager.post("/flags/rag-v2/schedule", json={"entry": NINE})
        refused = await product_manager.post("/flags/rag-v2/schedule", json={"entry": off})
        await service.ok("POST", "/flags/rag-v2/schedule", {"entry": off})
        kept = await product_manager.delete("/flags/rag-v2/schedule")
    assert (added.status_code, refused.status_code, kept.status_code) == (201, 403, 403)


async def test_history_shows_what_the_schedule_did_below_which_version(service: Service) -> None:
    await scheduled(service, RAMP)
    service.time.seconds += 2 * HOUR
    await service.ok("PATCH", "/flags/rag-v2", {"owner": "me"}, if_match="1")
    service.time.seconds += 2 * HOUR
    page = await service.ok("GET", "/flags/rag-v2/history")
    assert [(each["version"], each["action"], each["reason"]) for each in page["items"]] == [
        (2, "schedule", "ramp 0 to 75 %: ended"),
        (2, "schedule", "ramp 0 to 75 %: since 2027-01-15T09:00:00+00:00"),
        (2, "update", ""),
        (1, "schedule", "ramp 0 to 75 %: began"),
        (1, "create", ""),
    ]
    ended = page["items"][0]
    assert (ended["at"], ended["actor"]) == ("2027-01-15T11:00:00Z", "schedule")
    assert ended["document"]["default"]["split"][0]["weight"] == 75_000
    first = await service.ok("GET", "/flags/rag-v2/history?limit=1")
    rest = await service.ok("GET", f"/flags/rag-v2/history?limit=1&before={first['next']}")
    assert first["items"] + rest["items"] == page["items"]


async def test_what_a_kill_holds_down_cannot_be_raised_by_a_schedule_either(service: Service) -> None:
    await scheduled(service, NINE)
    await service.ok("POST", "/flags/rag-v2/kill", {"reason": "fire"})
    refused = await service.ask("POST", "/flags/rag-v2/schedule", {"entry": TEN})
    assert (refused.status_code, refused.json()["code"]) == (409, "killed")
    service.time.seconds += HOUR
    asked = {"context": {"targetingKey": "u"}}
    assert (await service.ok("POST", "/flags/rag-v2/evaluate", asked))["reason"] == "KILLED"
    assert (await service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": 26})).status_code == 409
    lowered = await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 20})
    assert len(lowered["dropped"]) == 1


@pytest.mark.parametrize("entry", [NINE, RAMP, {"at": "2027-01-15T09:00:00Z", "enabled": False}])
async def test_a_guarded_rollout_steers_its_flag_alone(service: Service, entry: dict[str, Any]) -> None:
    await service.with_rag()
    await service.ok("PATCH", "/flags/rag-v2", {"schedule": [entry]}, if_match="*")
    rollout = (await service.ok("POST", "/rollouts", {"plan": PLAN}))["id"]
    refused = await service.ask("POST", f"/rollouts/{rollout}/start")
    assert (refused.status_code, refused.json()["reason"]) == (409, "scheduled")
    assert "DELETE /flags/rag-v2/schedule" in refused.json()["detail"]
    await service.ok("DELETE", "/flags/rag-v2/schedule")
    await service.ok("POST", f"/rollouts/{rollout}/start")
    late = await service.ask("POST", "/flags/rag-v2/schedule", {"entry": entry})
    assert (late.status_code, late.json()["code"]) == (409, "rollout_conflict")
    await service.ok("PATCH", "/flags/rag-v2", {"owner": "me"}, if_match="*")


async def test_a_rollout_starts_from_what_a_schedule_that_is_done_has_made(service: Service) -> None:
    await service.with_rag()
    await service.ok("PATCH", "/flags/rag-v2", {"schedule": [{**NINE, "percentage": 60}]}, if_match="*")
    service.time.seconds += HOUR
    rollout = (await service.ok("POST", "/rollouts", {"plan": PLAN}))["id"]
    refused = await service.ask("POST", f"/rollouts/{rollout}/start")
    assert refused.json()["reason"] == "share_above_first_step"
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 5})
    await service.ok("PATCH", "/flags/rag-v2", {"schedule": [{**NINE, "percentage": 40}]}, if_match="*")
    await service.ok("POST", f"/rollouts/{rollout}/start")
    flag = await service.ok("GET", "/flags/rag-v2")
    assert (flag["default"]["split"][0]["weight"], "schedule" in flag) == (50_000, False)


async def test_an_export_has_the_document_as_it_was_written(service: Service) -> None:
    await scheduled(service, NINE)
    service.time.seconds += HOUR
    exported = await service.ok("GET", "/export")
    [flag] = exported["flags"]
    assert flag["schedule"] == [NINE]
    assert flag["default"]["split"][0]["weight"] == 0


async def test_listeners_are_told_when_an_entry_falls_due_and_ofrep_answers_what_is_in_force(service: Service) -> None:
    await scheduled(service, {"at": "2027-01-15T09:00:00Z", "serve": {"variant": "new"}})
    streams = service.services.ofrep.streams
    asked = {"context": {"targetingKey": "u"}}
    before, first = streams.mark(), await service.ask("POST", "/ofrep/v1/evaluate/flags", asked)
    service.time.seconds += HOUR - 0.05
    assert streams.mark() == before
    assert await asyncio.wait_for(streams.news(), 5) is False
    service.time.seconds += 0.05
    assert streams.mark() != before
    after = await service.ask("POST", "/ofrep/v1/evaluate/flags", asked, if_none_match=first.headers["etag"])
    assert (first.json()["flags"][0]["value"], after.status_code) == (False, 200)
    assert after.json()["flags"][0]["value"] is True


async def test_a_ramp_that_runs_is_told_of_every_minute(service: Service) -> None:
    await scheduled(service, RAMP)
    streams = service.services.ofrep.streams
    service.time.seconds += HOUR
    marks = []
    for _ in range(6):
        marks.append(streams.mark())
        service.time.seconds += 30
    assert [marks[0] == marks[1], marks[1] == marks[2], len({*marks})] == [True, False, 3]
