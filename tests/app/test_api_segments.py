"""Segments over HTTP: written, used, told who uses them, and refused where they would lead nowhere."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import ProblemError
from app.segment_uses import check_segments
from app.stores.records import Collection
from flags.model import Flag
from flags.segment import Segment
from tests.app.steering.driven import Driven, driven, plan_with
from tests.inprocess import Service

PRO = {"name": "pro", "description": "who pays", "when": {"attribute": "plan", "op": "eq", "value": "pro"}}
POWER = {"name": "power-users", "when": {"all": [{"segment": "pro"}, {"attribute": "age", "op": "gt", "value": 18}]}}


def flag_for(segment: str, key: str = "x") -> dict[str, Any]:
    """Return a flag that is on for a segment."""
    rules = [{"name": "chosen", "when": {"segment": segment}, "serve": {"variant": "on"}}]
    return {"key": key, "rules": rules, "default": {"variant": "off"}}


@pytest.fixture
async def segmented(service: Service) -> Service:
    """Run a service with a segment on another, and a flag on that."""
    for path, document in (("/segments", PRO), ("/segments", POWER), ("/flags", flag_for("power-users"))):
        await service.ok("POST", path, document)
    return service


@pytest.fixture
async def rag(tmp_path: Path) -> AsyncIterator[Driven]:
    """Run a service with the route `rag`, and a segment."""
    async with driven(tmp_path) as each:
        await each.service.ok("POST", "/segments", PRO)
        yield each


async def given_to(service: Service, key: str = "x", **context: Any) -> str:
    """Return the variant that a caller gets."""
    answer = await service.ok("POST", f"/flags/{key}/evaluate", {"context": context})
    return str(answer["variant"])


async def refused(service: Service, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, str]:
    """Return how a call is refused: status, code and detail."""
    answer = await service.ask(method, path, body, **headers)
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


async def test_a_flag_is_on_for_those_of_a_segment_and_of_what_that_stands_on(segmented: Service) -> None:
    assert await given_to(segmented, plan="pro", age=20) == "on"
    assert await given_to(segmented, plan="pro", age=10) == "off"
    assert await given_to(segmented, plan="free", age=20) == "off"


async def test_a_changed_segment_changes_all_that_stand_on_it_at_once(segmented: Service) -> None:
    when = {"attribute": "plan", "op": "in", "value": ["free", "pro"]}
    changed = await segmented.ok("PATCH", "/segments/pro", {"when": when}, if_match="1")
    assert (changed["version"], changed["description"]) == (2, "who pays")
    assert await given_to(segmented, plan="free", age=20) == "on"


async def test_what_was_read_can_be_written_back_and_the_history_has_it_all(segmented: Service) -> None:
    got = await segmented.ask("GET", "/segments/pro")
    await segmented.ok("PUT", "/segments/pro", got.json(), if_match=got.headers["ETag"])
    history = (await segmented.ok("GET", "/segments/pro/history"))["items"]
    assert [(item["version"], item["action"]) for item in history] == [(2, "update"), (1, "create")]
    listed = (await segmented.ok("GET", "/segments"))["items"]
    assert [each["name"] for each in listed] == ["power-users", "pro"]
    assert (await segmented.ok("GET", "/audit?limit=1"))["items"][0]["target"] == "segment:pro"


async def test_a_segment_that_is_not_there_is_404(service: Service) -> None:
    for path in ("/segments/nope", "/segments/nope/uses"):
        assert (await refused(service, "GET", path))[:2] == (404, "unknown_segment")
    assert (await refused(service, "GET", "/segments/nope/history"))[:2] == (404, "not_found")


async def test_whoever_uses_a_segment_is_named_and_keeps_it_from_deletion(segmented: Service) -> None:
    uses = await segmented.ok("GET", "/segments/pro/uses")
    assert uses == {
        "segment": "pro",
        "items": [
            {"collection": "segment", "key": "power-users", "place": "when", "through": None},
            {"collection": "flag", "key": "x", "place": 'rule "chosen"', "through": "power-users"},
        ],
    }
    status, code, detail = await refused(segmented, "DELETE", "/segments/pro", if_match="1")
    assert (status, code) == (409, "in_use")
    assert 'segment "power-users" (when), flag "x" (rule "chosen")' in detail
    await segmented.ok("DELETE", "/flags/x", if_match="1")
    await segmented.ok("DELETE", "/segments/power-users", if_match="1")
    await segmented.ok("DELETE", "/segments/pro", if_match="1")
    assert (await segmented.ok("GET", "/segments"))["items"] == []


async def test_nothing_may_name_a_segment_that_there_is_not(service: Service) -> None:
    told = 'names the unknown segment "pro"; create it first'
    assert await refused(service, "POST", "/segments", POWER) == (422, "invalid_document", f"when: {told}")
    assert await refused(service, "POST", "/flags", flag_for("pro")) == (422, "invalid_document", told)


async def test_a_segment_cannot_stand_on_itself(segmented: Service) -> None:
    when = {"not": {"segment": "power-users"}}
    status, code, detail = await refused(segmented, "PATCH", "/segments/pro", {"when": when}, if_match="1")
    assert (status, code) == (422, "invalid_document")
    assert detail.startswith("when: stands on itself: ")
    assert '"pro" stands on "power-users"' in detail


async def test_segments_stand_on_each_other_eight_deep_at_most(service: Service) -> None:
    await service.ok("POST", "/segments", {**PRO, "name": "s1"})
    for number in range(2, 9):
        await service.ok("POST", "/segments", {"name": f"s{number}", "when": {"segment": f"s{number - 1}"}})
    ninth = {"name": "s9", "when": {"segment": "s8"}}
    assert (await refused(service, "POST", "/segments", ninth))[
        2
    ] == "when: segments may stand on each other 8 deep at most"
    deeper = await refused(service, "PATCH", "/segments/s1", {"when": {"segment": "new"}}, if_match="1")
    assert deeper[2] == 'when: names the unknown segment "new"; create it first'
    await service.ok("POST", "/segments", {**PRO, "name": "new"})
    deeper = await refused(service, "PATCH", "/segments/s1", {"when": {"segment": "new"}}, if_match="1")
    assert deeper[2] == 'segment "s8": when: segments may stand on each other 8 deep at most'


async def test_segments_that_multiply_are_refused_before_they_cost_seconds(service: Service) -> None:
    await service.ok("POST", "/segments", {"name": "s1", "when": {"all": [PRO["when"]] * 64}})
    await service.ok("POST", "/segments", {"name": "s2", "when": {"all": [{"segment": "s1"}] * 64}})
    third = await refused(service, "POST", "/segments", {"name": "s3", "when": {"any": [{"segment": "s2"}] * 2}})
    assert third[2] == "when: comes to 8,192 comparisons with the segments it names, 4,096 at most"


@pytest.mark.parametrize("name", ["power-users", "pro"])
async def test_whom_a_segment_holds_cannot_change_while_a_flag_that_goes_by_it_is_killed(
    segmented: Service, name: str
) -> None:
    await segmented.ok("POST", "/flags/x/kill", {"reason": "night"})
    everyone = {"attribute": "nothing", "op": "exists", "value": False}
    for method, path, body in (
        ("PATCH", f"/segments/{name}", {"when": everyone}),
        ("POST", "/import", {"segments": [{"name": name, "when": everyone}]}),
    ):
        told = await refused(segmented, method, path, body, if_match="1")
        assert told == (409, "killed", 'flag "x" goes by segment "power-users" and is killed; release the kill first')
    await segmented.ok("PATCH", f"/segments/{name}", {"description": "the same"}, if_match="1")
    await segmented.ok("DELETE", "/flags/x/kill", {"reason": "morning"})
    assert await given_to(segmented) == "off"
    await segmented.ok("PATCH", f"/segments/{name}", {"when": everyone}, if_match="2")


async def test_a_segment_may_change_under_kills_of_flags_that_give_nobody_anything_by_it(segmented: Service) -> None:
    await segmented.ok("POST", "/flags", flag_for("power-users", "y") | {"enabled": False})
    await segmented.ok("POST", "/flags", {"key": "z"})
    for key in ("x", "y", "z"):
        await segmented.ok("POST", f"/flags/{key}/kill", {"reason": "night"})
    await segmented.ok("PATCH", "/flags/x", {"rules": []}, if_match="1")
    everyone = {"attribute": "nothing", "op": "exists", "value": False}
    await segmented.ok("PATCH", "/segments/pro", {"when": everyone}, if_match="1")


async def test_a_cohort_can_be_a_segment_which_then_stays(rag: Driven) -> None:
    await rag.start(cohorts=[{"name": "first", "segment": "pro"}])
    assert await given_to(rag.service, "rag-v2", targetingKey="u1", plan="pro") == "new"
    uses = (await rag.service.ok("GET", "/segments/pro/uses"))["items"]
    assert [(each["collection"], each["place"]) for each in uses] == [
        ("flag", 'rule "rollout rag/first"'),
        ("rollout", 'cohort "first"'),
    ]
    assert (await refused(rag.service, "DELETE", "/segments/pro", if_match="1"))[:2] == (409, "in_use")
    other = {"when": {"attribute": "plan", "op": "eq", "value": "gold"}}
    await rag.service.ok("PATCH", "/segments/pro", other, if_match="1")
    assert await given_to(rag.service, "rag-v2", targetingKey="u1", plan="gold") == "new"


async def test_a_plan_names_no_segment_that_there_is_not_and_one_way_to_choose(rag: Driven) -> None:
    for cohort, told in (
        ({"name": "a", "segment": "nope"}, 'names the unknown segment "nope"'),
        ({"name": "a", "when": {"segment": "nope"}}, 'names the unknown segment "nope"'),
        ({"name": "a", "segment": "pro", "keys": ["u1"]}, 'exactly one of "keys", "when" and "segment"'),
    ):
        status, code, detail = await refused(rag.service, "POST", "/rollouts", {"plan": plan_with(cohorts=[cohort])})
        assert (status, code) == (422, "invalid_document")
        assert told in detail


async def test_an_import_brings_segments_with_those_who_use_them_and_prunes_them_last(segmented: Service) -> None:
    exported = await segmented.ok("GET", "/export")
    assert [each["name"] for each in exported["segments"]] == ["power-users", "pro"]
    emptied = await segmented.ok("POST", "/import?prune=true", {})
    assert [each["key"] for each in emptied["items"]] == ["x", "power-users", "pro"]
    filled = await segmented.ok("POST", "/import", exported)
    assert [(each["collection"], each["key"]) for each in filled["items"]] == [
        ("segment", "pro"),
        ("segment", "power-users"),
        ("flag", "x"),
    ]
    assert (await segmented.ok("GET", "/export")) == exported
    lost = await refused(segmented, "POST", "/import?prune=true", {"flags": exported["flags"]})
    assert lost[:2] == (409, "in_use")


def of_size(comparisons: int) -> dict[str, Any]:
    """Return a condition of that many comparisons, a multiple of 64."""
    some = [{"attribute": "a", "op": "eq", "value": f"v{number}"} for number in range(64)]
    return {"any": [{"any": some} for _ in range(comparisons // 64)]}


def rules_naming(segment: str, count: int) -> list[dict[str, Any]]:
    """Return rules that all name a segment."""
    return [{"name": f"r{at}", "when": {"segment": segment}, "serve": {"variant": "on"}} for at in range(count)]


async def test_a_flag_whose_rules_come_to_too_many_comparisons_is_refused(service: Service) -> None:
    await service.ok("POST", "/segments", {"name": "big", "when": of_size(2048)})
    await service.ok("POST", "/segments", {"name": "above", "when": {"segment": "big"}})
    await service.ok("POST", "/flags", {"key": "x", "rules": rules_naming("above", 2)})
    refused = await service.ask("PATCH", "/flags/x", {"rules": rules_naming("above", 3)}, if_match="*")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
    told = "rules: come to 6,144 comparisons with the segments they name, 4,096 at most"
    assert refused.json()["detail"] == told
    direct = {"name": "r", "when": of_size(4096), "serve": {"variant": "on"}}
    refused = await service.ask("POST", "/flags", {"key": "y", "rules": [direct, *rules_naming("big", 1)]})
    assert "come to 6,144 comparisons" in refused.json()["detail"]


async def test_a_segment_that_would_make_a_flag_too_large_is_refused_and_names_the_flag(service: Service) -> None:
    await service.ok("POST", "/segments", {"name": "big", "when": of_size(64)})
    await service.ok("POST", "/segments", {"name": "above", "when": {"segment": "big"}})
    await service.ok("POST", "/flags", {"key": "x", "rules": rules_naming("above", 3)})
    refused = await service.ask("PUT", "/segments/big", {"name": "big", "when": of_size(2048)}, if_match="*")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")
    assert refused.json()["detail"].startswith('flag "x": rules: come to 6,144 comparisons')
    await service.ok("PUT", "/segments/big", {"name": "big", "when": of_size(1024)}, if_match="*")


async def test_a_flag_that_is_too_large_already_may_change_and_not_grow(service: Service) -> None:
    live = service.services.live
    rules = rules_naming("big", 3)
    big = Segment.model_validate({"name": "big", "when": of_size(2048)})
    old = Flag.model_validate({"key": "x", "rules": rules})
    after = live.state.ruleset.changed({"x": old}, live.state.ruleset.revision, {"big": big})
    before = replace(live.state, ruleset=after)
    smaller = replace(before, ruleset=after.changed({"x": old.model_copy(update={"enabled": False})}, 1))
    check_segments(before, smaller, [(Collection.FLAG, "x")])
    grown = Flag.model_validate({"key": "x", "rules": rules_naming("big", 4)})
    with pytest.raises(ProblemError):
        check_segments(before, replace(before, ruleset=after.changed({"x": grown}, 1)), [(Collection.FLAG, "x")])
