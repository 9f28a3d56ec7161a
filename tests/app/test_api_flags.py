"""Flags over HTTP, as a product manager and a developer use them."""

import pytest

from tests.inprocess import FLAG, Service


async def test_a_key_alone_makes_a_boolean_flag_at_zero_percent(service: Service) -> None:
    flag = await service.ok("POST", "/flags", {"key": "x"})
    assert flag["variants"] == {"on": True, "off": False}
    assert flag["default"] == {"split": [{"variant": "on", "weight": 0}, {"variant": "off", "weight": 100_000}]}
    assert (flag["version"], flag["updated_by"], flag["salt"]) == (1, "admin", "x")


async def test_what_was_read_can_be_written_back(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG)
    got = await service.ask("GET", "/flags/rag-v2")
    again = await service.ok("PUT", "/flags/rag-v2", got.json(), if_match=got.headers["ETag"])
    assert again == {**got.json(), "version": 2}


async def test_a_float_value_stays_a_float(service: Service) -> None:
    await service.ok("POST", "/flags", {"key": "rate", "variants": {"high": 1.0, "low": 0.5}})
    assert '"high":1.0' in (await service.ask("GET", "/flags/rate")).text


async def test_every_path_is_served_below_api_too(service: Service) -> None:
    await service.ok("POST", "/api/flags", FLAG)
    assert (await service.ok("GET", "/api/flags/rag-v2"))["key"] == "rag-v2"


async def test_a_percentage_needs_no_version_and_is_kept_with_its_reason(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG)
    flag = await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 12.345, "reason": "first users"})
    assert flag["default"]["split"][0] == {"variant": "new", "weight": 12_345}
    history = await service.ok("GET", "/flags/rag-v2/history")
    assert [(item["version"], item["reason"]) for item in history["items"]] == [(2, "first users"), (1, "")]


async def test_a_percentage_without_a_body_is_answered_with_what_to_send(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG)
    refused = await service.ask("PUT", "/flags/rag-v2/rollout")
    assert (refused.status_code, refused.json()["detail"]) == (422, "send a JSON body")


async def test_writes_without_a_version_are_428_and_with_an_old_one_412(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG)
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 1})
    missing = await service.ask("PATCH", "/flags/rag-v2", {"owner": "me"})
    stale = await service.ask("PATCH", "/flags/rag-v2", {"owner": "me"}, if_match="1")
    assert (missing.status_code, missing.json()["code"]) == (428, "version_required")
    assert (stale.status_code, stale.json()["code"], stale.json()["version"]) == (412, "stale_version", 2)
    assert (await service.ok("PATCH", "/flags/rag-v2", {"owner": "me"}, if_match='"2"'))["owner"] == "me"


async def test_a_patch_replaces_whole_fields_and_null_brings_the_default_back(service: Service) -> None:
    await service.ok("POST", "/flags", {**FLAG, "owner": "me", "tags": ["a"]})
    flag = await service.ok("PATCH", "/flags/rag-v2", {"owner": None, "default": {"variant": "new"}}, if_match="1")
    assert (flag["owner"], flag["tags"], flag["default"]) == ("", ["a"], {"variant": "new"})


async def test_revert_writes_an_older_version_as_a_new_one(service: Service) -> None:
    await service.ok("POST", "/flags", FLAG)
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 50})
    flag = await service.ok("POST", "/flags/rag-v2/revert", {"version": 1})
    assert (flag["version"], flag["default"]["split"][0]["weight"]) == (3, 0)
    unknown = await service.ask("POST", "/flags/rag-v2/revert", {"version": 99})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_version")


async def test_a_deleted_flag_keeps_its_history_and_a_new_one_goes_on_counting(service: Service) -> None:
    await service.ok("POST", "/flags", {"key": "x"})
    await service.ok("DELETE", "/flags/x", {"reason": "done"}, if_match="1")
    assert (await service.ask("GET", "/flags/x")).status_code == 404
    history = await service.ok("GET", "/flags/x/history")
    assert [(item["action"], item["reason"]) for item in history["items"]] == [("delete", "done"), ("create", "")]
    assert (await service.ok("POST", "/flags", {"key": "x"}))["version"] == 3


async def test_a_flag_in_use_cannot_be_deleted(service: Service) -> None:
    await service.with_rag()
    await service.ok("POST", "/flags", {"key": "next", "prerequisites": [{"flag": "rag-v2", "variants": ["new"]}]})
    refused = await service.ask("DELETE", "/flags/rag-v2", if_match="*")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert 'route "rag"' in refused.json()["detail"]
    assert 'flag "next"' in refused.json()["detail"]


async def test_lists_come_in_pages(service: Service) -> None:
    for key in "edcba":
        await service.ok("POST", "/flags", {"key": key, "tags": ["even"] if key in "bd" else []})
    first = await service.ok("GET", "/flags?limit=2")
    second = await service.ok("GET", f"/flags?limit=10&after={first['next']}")
    assert [flag["key"] for flag in first["items"] + second["items"]] == list("abcde")
    assert second["next"] is None
    assert [flag["key"] for flag in (await service.ok("GET", "/flags?tag=even"))["items"]] == ["b", "d"]
    assert (await service.ok("GET", "/flags?kind=ops"))["items"] == []


async def test_evaluation_shows_its_way(service: Service) -> None:
    rule = {
        "name": "pros",
        "when": {"attribute": "plan", "op": "eq", "value": "pro"},
        "serve": {"variant": "new"},
    }
    await service.ok("POST", "/flags", {**FLAG, "rules": [rule]})
    found = await service.ok("POST", "/flags/rag-v2/evaluate", {"context": {"targetingKey": "u", "plan": "pro"}})
    assert (found["variant"], found["reason"], found["rule"], found["bucket"]) == ("new", "RULE_MATCH", "pros", None)
    assert found["trace"] == [{"step": "rule pros", "decided": True}]
    assert (await service.ask("POST", "/flags/nope/evaluate", {"context": {}})).json()["code"] == "unknown_flag"


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "key"),
        ({"key": "a b"}, "key"),
        ({"key": "x", "bogus": 1}, "bogus: unknown field"),
        ({"key": "x", "variants": {"a": 1, "b": "x"}}, "variants must have values of one type"),
        ({"key": "x", "off_variant": "nope"}, 'unknown variant "nope"'),
        ({"key": "x", "default": {"split": [{"variant": "on", "weight": 1}]}}, "sum to 100,000"),
        ({"key": "x", "default": {"variant": "nope"}}, 'default names the unknown variant "nope"'),
        ({"key": "x", "prerequisites": [{"flag": "nope", "variants": ["on"]}]}, 'unknown flag "nope"'),
        ({"key": "x", "prerequisites": [{"flag": "x", "variants": ["on"]}]}, "its own prerequisite"),
        ({"key": "x", "rules": [{"name": "r", "when": {"op": "eq"}, "serve": {"variant": "on"}}]}, "rules.0.when"),
        ([], "give an object"),
        ({"key": "x", "variants": ["a", "b"]}, "variants: give an object"),
        ({"key": "x", "tags": "a"}, "tags: give a list"),
    ],
)
async def test_a_wrong_flag_is_refused_with_the_place_named(service: Service, document: object, told: str) -> None:
    refused = await service.ask("POST", "/flags", document)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
    assert told in refused.json()["detail"]
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await service.ok("GET", "/flags"))["items"] == []


@pytest.mark.parametrize("percentage", [-1, 100.1, 0.0001, "10", None, True, [1]])
async def test_a_wrong_percentage_is_refused_and_changes_nothing(service: Service, percentage: object) -> None:
    await service.ok("POST", "/flags", FLAG)
    refused = await service.ask("PUT", "/flags/rag-v2/rollout", {"percentage": percentage})
    assert refused.status_code == 422
    assert (await service.ok("GET", "/flags/rag-v2"))["version"] == 1


async def test_prerequisite_cycles_are_refused_on_write(service: Service) -> None:
    await service.ok("POST", "/flags", {"key": "a"})
    await service.ok("POST", "/flags", {"key": "b", "prerequisites": [{"flag": "a", "variants": ["on"]}]})
    cycle = [{"flag": "b", "variants": ["on"]}]
    refused = await service.ask("PATCH", "/flags/a", {"prerequisites": cycle}, if_match="1")
    assert (refused.status_code, "cycle" in refused.json()["detail"]) == (422, True)


async def test_a_flag_of_a_route_needs_a_backend_for_every_variant(service: Service) -> None:
    await service.with_rag()
    variants = {"new": True, "legacy": False, "third": True}
    refused = await service.ask("PATCH", "/flags/rag-v2", {"variants": variants}, if_match="*")
    assert (refused.status_code, "third" in refused.json()["detail"]) == (422, True)


async def test_a_reason_in_a_header_is_read_as_it_was_written(service: Service) -> None:
    headers = {"X-Crossfade-Change-Reason": "für josé".encode()}
    assert (await service.client.post("/flags", content=b'{"key": "x"}', headers=headers)).status_code == 201
    await service.ok("PUT", "/flags/x/rollout", {"percentage": 1, "reason": "für josé"})
    history = await service.ok("GET", "/flags/x/history")
    assert [item["reason"] for item in history["items"]] == ["für josé", "für josé"]
