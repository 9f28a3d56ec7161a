"""OFREP's bulk evaluation: everything a caller gets, and the ETag of exactly that."""

from typing import Any

import httpx
import pytest

from app.ofrep.tokens import PERIOD_S
from tests.app.test_ofrep import SPLIT, flag
from tests.inprocess import Service, running, settings_in

PATH = "/ofrep/v1/evaluate/flags"


async def bulk(client: httpx.AsyncClient, etag: str | None = None, **context: Any) -> httpx.Response:
    """Evaluate everything for a caller."""
    headers = {"If-None-Match": etag} if etag else {}
    return await client.post(PATH, json={"context": context}, headers=headers)


@pytest.fixture
async def several(service: Service) -> Service:
    """Return a service with flags of every kind of answer."""
    rule = {"name": "pros", "when": {"attribute": "plan", "op": "eq", "value": "pro"}, "serve": {"variant": "b"}}
    await service.ok("POST", "/flags", flag("static", 1, 2))
    await service.ok("POST", "/flags", flag("split", 1, 2, default=SPLIT))
    await service.ok("POST", "/flags", flag("off", 1, 2, enabled=False))
    await service.ok("POST", "/flags", flag("by-plan", 1.0, 2.5, rules=[rule]))
    return service


async def test_all_flags_are_there_by_key_disabled_and_failed_ones_too(several: Service) -> None:
    answer = await bulk(several.client)
    items = answer.json()["flags"]
    assert [item["key"] for item in items] == ["by-plan", "off", "split", "static"]
    by_key = {item["key"]: item for item in items}
    assert (by_key["off"]["reason"], "value" in by_key["off"]) == ("DISABLED", False)
    assert by_key["split"]["errorCode"] == "TARGETING_KEY_MISSING"
    assert by_key["split"]["errorDetails"]
    assert by_key["static"]["value"] == 1
    assert answer.json()["metadata"] == {"flagSetId": "crossfade"}


async def test_every_item_is_what_a_single_evaluation_answers(several: Service) -> None:
    context = {"targetingKey": "u1", "plan": "pro"}
    for item in (await bulk(several.client, **context)).json()["flags"]:
        single = await several.ask("POST", f"{PATH}/{item['key']}", {"context": context})
        assert single.json() == item


async def test_the_same_answer_is_not_sent_twice(several: Service) -> None:
    first = await bulk(several.client, targetingKey="u1")
    etag = first.headers["etag"]
    assert etag.startswith('"')
    assert etag.endswith('"')
    for known in (etag, f"W/{etag}", f'"other", W/{etag}', "*"):
        again = await bulk(several.client, known, targetingKey="u1")
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await bulk(several.client, '"other"', targetingKey="u1")).status_code == 200


async def test_another_attribute_of_the_same_caller_is_another_answer(several: Service) -> None:
    etag = (await bulk(several.client, targetingKey="u1")).headers["etag"]
    assert (await bulk(several.client, etag, targetingKey="u1", plan="pro")).status_code == 200
    assert (await bulk(several.client, etag, targetingKey="u1", unused="x")).status_code == 304


async def test_a_changed_flag_a_kill_and_its_release_are_seen(several: Service) -> None:
    etag = (await bulk(several.client, targetingKey="u1")).headers["etag"]
    await several.ok("PATCH", "/flags/static", {"default": {"variant": "b"}}, if_match="*")
    changed = await bulk(several.client, etag, targetingKey="u1")
    assert changed.status_code == 200
    await several.ok("POST", "/flags/static/kill")
    killed = await bulk(several.client, changed.headers["etag"], targetingKey="u1")
    assert killed.status_code == 200
    await several.ok("DELETE", "/flags/static/kill")
    assert (await bulk(several.client, changed.headers["etag"], targetingKey="u1")).status_code == 304


async def test_what_changes_nothing_for_a_caller_changes_no_etag(several: Service) -> None:
    made = await several.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "scopes": ["flag:static"]})
    async with several.token(made["token"]) as client:
        first = await bulk(client)
        assert [item["key"] for item in first.json()["flags"]] == ["static"]
        await several.ok("POST", "/flags", flag("another", 1, 2))
        assert (await bulk(client, first.headers["etag"])).status_code == 304
    assert (await bulk(several.client)).headers["etag"] != first.headers["etag"]


async def test_a_route_in_scope_shows_its_flag_even_when_it_gets_another(service: Service) -> None:
    await service.with_rag()
    await service.ok("POST", "/flags", {"key": "rag-v3", "variants": {"new": 1, "legacy": 2}})
    made = await service.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "scopes": ["route:rag"]})
    async with service.token(made["token"]) as client:
        assert [item["key"] for item in (await bulk(client)).json()["flags"]] == ["rag-v2"]
        await service.ok("PATCH", "/routes/rag", {"flag": "rag-v3"}, if_match="*")
        assert [item["key"] for item in (await bulk(client)).json()["flags"]] == ["rag-v3"]


@pytest.mark.parametrize(
    "query",
    [
        "flagConfigEtag=x&flagConfigLastModified=1800000000",
        "flagConfigEtag=",
        "flagConfigEtag=%FF-%C2%B2-1",
        "flagConfigLastModified=2026-01-01T00:00:00Z",
        "unknown=1",
    ],
)
async def test_hints_of_a_notice_are_taken_and_decide_nothing(several: Service, query: str) -> None:
    etag = (await bulk(several.client)).headers["etag"]
    assert (await several.ask("POST", f"{PATH}?{query}")).headers["etag"] == etag
    again = await several.ask("POST", f"{PATH}?{query}", if_none_match=etag)
    assert again.status_code == 304


async def test_a_url_for_notices_comes_with_the_flags_and_below_the_prefix_that_was_asked(several: Service) -> None:
    for prefix in ("", "/api"):
        (stream,) = (await several.ask("POST", prefix + PATH)).json()["eventStreams"]
        assert (stream["type"], stream["inactivityDelaySec"]) == ("sse", 120)
        assert stream["endpoint"]["requestUri"].startswith(f"{prefix}/ofrep/v1/events?token=")


async def test_who_has_the_answer_has_a_url_that_still_works_for_a_period(several: Service) -> None:
    several.time.seconds = 10.0 * PERIOD_S
    first = await bulk(several.client)
    several.time.seconds += PERIOD_S - 1
    assert (await bulk(several.client, first.headers["etag"])).status_code == 304
    several.time.seconds += 1
    second = await bulk(several.client, first.headers["etag"])
    assert second.status_code == 200
    assert second.json()["flags"] == first.json()["flags"]
    assert second.json()["eventStreams"] != first.json()["eventStreams"]


async def test_without_a_signing_key_there_is_no_url(several: Service) -> None:
    several.services.ofrep.tokens.use(None)
    assert "eventStreams" not in (await bulk(several.client)).json()


async def test_without_any_streams_there_is_no_url(tmp_path: Any) -> None:
    async with running(settings_in(tmp_path, ofrep_streams=0)) as service:
        assert "eventStreams" not in (await bulk(service.client)).json()


async def test_many_flags_are_all_there(service: Service) -> None:
    flags = [flag(f"f{number:04}", number, -1) for number in range(1_201)]
    await service.ok("POST", "/import", {"flags": flags})
    items = (await bulk(service.client)).json()["flags"]
    assert [item["value"] for item in items] == [*range(1_201)]


async def test_the_flag_set_may_be_named(tmp_path: Any) -> None:
    async with running(settings_in(tmp_path, flag_set="shop")) as service:
        await service.ok("POST", "/flags", flag("f", 1, 2))
        answer = (await bulk(service.client)).json()
    assert (answer["metadata"], answer["flags"][0]["metadata"]["flagSetId"]) == ({"flagSetId": "shop"}, "shop")
