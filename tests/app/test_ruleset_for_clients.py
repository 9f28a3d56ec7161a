from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.api.codings import takes_gzip
from app.changes import By, Wanted
from app.stores.records import Collection
from flags.segment import Segment
from tests.inprocess import Service, running, settings_in


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with running(settings_in(tmp_path)) as service:
        await service.ok("POST", "/flags", {"key": "base"})
        await service.ok("POST", "/flags", {"key": "over", "prerequisites": [{"flag": "base", "variants": ["on"]}]})
        await service.ok("POST", "/flags", {"key": "other", "targets": [{"variant": "on", "keys": ["u1"]}]})
        yield service


async def ruleset(service: Service) -> tuple[dict[str, Any], str]:
    answer = await service.ask("GET", "/ruleset")
    assert answer.status_code == 200, answer.text
    return answer.json(), answer.headers["etag"]


async def test_it_holds_documents_kills_epoch_and_revision_and_nobodys_name(service: Service) -> None:
    body, _ = await ruleset(service)
    assert [flag["key"] for flag in body["flags"]] == ["base", "other", "over"]
    assert body["flags"][1]["targets"] == [{"variant": "on", "keys": ["u1"]}]
    assert all(flag["version"] == 1 and "updated_by" not in flag and "updated_at" not in flag for flag in body["flags"])
    assert body["killed"] == {"everything": False, "flags": [], "routes": []}
    state = service.services.live.state.ruleset
    assert (body["epoch"], body["revision"], body["segments"]) == (state.epoch, state.revision, [])


async def test_what_is_at_hand_is_not_sent_again(service: Service) -> None:
    _, etag = await ruleset(service)
    for same in (etag, etag.removeprefix("W/"), f'"x", {etag}', "*"):
        answer = await service.ask("GET", "/ruleset", if_none_match=same)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert (await service.ask("GET", "/ruleset", if_none_match='"x"')).status_code == 200


async def test_it_is_gzip_for_who_takes_that_and_plain_for_others_under_one_weak_tag(service: Service) -> None:
    plain = await service.ask("GET", "/ruleset", accept_encoding="identity")
    packed = await service.ask("GET", "/ruleset", accept_encoding="br, gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) == len(plain.content)
    assert packed.content == plain.content
    assert packed.headers["etag"] == plain.headers["etag"]
    assert plain.headers["etag"].startswith('W/"')
    for coding in ("identity", "gzip"):
        again = await service.ask("GET", "/ruleset", accept_encoding=coding, if_none_match=plain.headers["etag"])
        assert (again.status_code, again.headers["vary"]) == (304, "Accept-Encoding")
        assert "content-encoding" not in again.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


async def test_it_is_packed_once_for_each_text(service: Service) -> None:
    first, second = [await service.ask("GET", "/ruleset", accept_encoding="gzip") for _ in range(2)]
    assert len(service.services.rulesets._gzipped) == 1
    await service.ok("PUT", "/flags/base/rollout", {"percentage": 5})
    changed = await service.ask("GET", "/ruleset", accept_encoding="gzip")
    assert len(service.services.rulesets._gzipped) == 1
    assert first.content == second.content != changed.content
    assert len({each.headers["etag"] for each in (first, second, changed)}) == 2


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], False),
        ([""], False),
        (["gzip"], True),
        (["GZIP;Q=0.5"], True),
        (["x-gzip"], True),
        (["deflate", "gzip"], True),
        (["gzip, deflate, br, zstd"], True),
        (["gzip;q=0"], False),
        (["gzip; q=0.000, *"], False),
        (["*"], True),
        (["*;q=0"], False),
        (["identity"], False),
        (["identity, gzip;q=0.5"], False),
        (["identity;q=0.5, gzip"], True),
        (["gzip;q=much"], False),
        (["gzip;level=9"], False),
        (["br;q=1.0, ,"], False),
    ],
)
def test_who_takes_gzip_is_known_by_the_weights(lines: list[str], expected: bool) -> None:
    assert takes_gzip(lines) is expected


async def test_any_change_gives_another_tag(service: Service) -> None:
    tags = [(await ruleset(service))[1]]
    for change in (
        ("PUT", "/flags/base/rollout", {"percentage": 5}),
        ("POST", "/flags/base/kill", None),
        ("DELETE", "/flags/base/kill", None),
        ("POST", "/kill-switch", {"scope": "all"}),
    ):
        await service.ok(*change)
        tags.append((await ruleset(service))[1])
    assert len({*tags}) == len(tags)
    assert (await ruleset(service))[0]["killed"]["everything"] is True


async def test_a_kill_that_no_revision_came_with_gives_another_tag(service: Service) -> None:
    before, tag = await ruleset(service)
    state = service.services.live.state
    await service.ok("POST", "/flags/other/kill")
    overlay = service.services.live.state.overlay
    service.services.live.state = state
    service.services.live.lay(overlay)
    after, other = await ruleset(service)
    assert after["revision"] == before["revision"]
    assert after["killed"]["flags"] == ["other"]
    assert tag != other


@pytest.mark.parametrize(
    ("scopes", "keys"),
    [(["flag:over"], ["base", "over"]), (["flag:base"], ["base"]), (["route:rag"], ["rag-v2"]), (["flag:none"], [])],
)
async def test_a_scoped_token_gets_its_flags_and_what_they_stand_on(
    service: Service, scopes: list[str], keys: list[str]
) -> None:
    await service.with_rag()
    made = await service.ok("POST", "/tokens", {"id": "app", "role": "client", "scopes": scopes})
    await service.ok("POST", "/flags/other/kill")
    async with service.token(made["token"]) as client:
        answer = await client.get("/ruleset")
    assert [flag["key"] for flag in answer.json()["flags"]] == keys
    assert answer.json()["killed"]["flags"] == []
    assert len((await ruleset(service))[0]["flags"]) == 4


@pytest.mark.parametrize("role", ["evaluate", "read", "operate", "kill", "alert"])
async def test_only_a_client_gets_it(service: Service, role: str) -> None:
    made = await service.ok("POST", "/tokens", {"id": "web", "role": role})
    async with service.token(made["token"]) as client:
        assert (await client.get("/ruleset")).status_code == 403


async def test_a_client_may_ask_for_decisions_and_report_outcomes_too(service: Service) -> None:
    await service.with_rag()
    made = await service.ok("POST", "/tokens", {"id": "app", "role": "client"})
    async with service.token(made["token"]) as client:
        decided = await client.post("/routes/rag/decision", json={"context": {"targetingKey": "u1"}})
        reported = await client.post("/outcomes", json={"outcomes": [{"route": "rag", "unit": "u1", "kind": "like"}]})
    assert (decided.status_code, reported.status_code) == (200, 202)


async def test_only_new_documents_are_written_out_again(service: Service) -> None:
    await ruleset(service)
    kept = service.services.rulesets._flags
    before = {key: text for key, (_, text) in kept.items()}
    await service.ok("PUT", "/flags/base/rollout", {"percentage": 5})
    await ruleset(service)
    after = {key: text for key, (_, text) in service.services.rulesets._flags.items()}
    assert after["other"] is before["other"]
    assert after["base"] != before["base"]
    await service.ok("DELETE", "/flags/other", if_match="*")
    await ruleset(service)
    assert [*service.services.rulesets._flags] == ["base", "over"]


async def test_it_holds_the_segments_that_its_flags_stand_on(service: Service) -> None:
    below = Segment.model_validate({"name": "below", "when": {"attribute": "plan", "op": "eq", "value": "pro"}})
    above = Segment.model_validate({"name": "above", "when": {"segment": "below"}})
    other = Segment.model_validate({"name": "other", "when": {"segment": "below"}})
    wanted = [Wanted(Collection.SEGMENT, each.name, each, 0) for each in (below, above, other)]
    await service.services.changes.make(wanted, By("tests", ""))
    rule = {"name": "r", "when": {"segment": "above"}, "serve": {"variant": "on"}}
    await service.ok("POST", "/flags", {"key": "segmented", "rules": [rule]})
    assert {each["name"] for each in (await ruleset(service))[0]["segments"]} == {"above", "below", "other"}
    made = await service.ok("POST", "/tokens", {"id": "app", "role": "client", "scopes": ["flag:segmented"]})
    async with service.token(made["token"]) as client:
        told = (await client.get("/ruleset")).json()["segments"]
    assert [(each["name"], each["version"]) for each in told] == [("above", 1), ("below", 1)]
