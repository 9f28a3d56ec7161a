"""OFREP's evaluation of one flag, as the protocol and its published clients need it."""

from typing import Any

import pytest

from app.errors import Code
from app.ofrep.answers import REASONS
from flags.names import OPENFEATURE_REASON, Reason
from tests.inprocess import ADMIN, FLAG, Service

SPLIT = {"split": [{"variant": "a", "weight": 50_000}, {"variant": "b", "weight": 50_000}]}
CONTEXT = {"context": {"targetingKey": "u1"}}


def flag(key: str, one: Any, other: Any, **fields: Any) -> dict[str, Any]:
    return {"key": key, "variants": {"a": one, "b": other}, "off_variant": "b", "default": {"variant": "a"}, **fields}


async def evaluated(service: Service, key: str, body: Any = CONTEXT) -> dict[str, Any]:
    """Evaluate a flag that gives a value, and return the answer."""
    answer = await service.ask("POST", f"/ofrep/v1/evaluate/flags/{key}", body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    assert told["key"] == key
    assert told["reason"] in REASONS
    assert type(told["variant"]) is str
    assert all(type(each) in {str, int, float, bool} for each in told["metadata"].values())
    return told


async def refused(service: Service, status: int, code: str, path: str, content: bytes | None = None) -> dict[str, Any]:
    """Send what is refused, and return how that is told: in the shape of OFREP."""
    answer = await service.client.post(path, content=content)
    assert answer.headers["content-type"] == "application/json"
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, told["errorCode"]) == (status, code), told
    assert type(told["errorDetails"]) is str
    assert {*told} <= {"key", "errorCode", "errorDetails", "metadata"}
    return told


@pytest.mark.parametrize(
    ("one", "other"), [(True, False), ("x", "y"), (1, 2), (0.5, 2.5), ({"a": [1, 1.0]}, {}), ("", "é"), (-1.0, 1e22)]
)
async def test_every_type_of_value_arrives_as_it_was_written(service: Service, one: Any, other: Any) -> None:
    await service.ok("POST", "/flags", flag("f", one, other))
    told = await evaluated(service, "f")
    assert (told["value"], type(told["value"])) == (one, type(one))
    assert (told["reason"], told["variant"]) == ("STATIC", "a")


@pytest.mark.parametrize(("one", "text"), [(1.0, b'"value":1.0'), (1, b'"value":1.0'), (0.5, b'"value":0.5')])
async def test_a_number_has_a_fraction_where_a_sibling_has_one(service: Service, one: float, text: bytes) -> None:
    await service.ok("POST", "/flags", flag("f", one, 0.25))
    answer = await service.ask("POST", "/ofrep/v1/evaluate/flags/f")
    assert text in answer.content


async def test_whole_numbers_among_whole_numbers_have_none(service: Service) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2))
    assert b'"value":1,' in (await service.ask("POST", "/ofrep/v1/evaluate/flags/f")).content


async def test_reasons_are_told_in_openfeatures_words_and_in_ours(service: Service) -> None:
    rule = {"name": "pros", "when": {"attribute": "plan", "op": "eq", "value": "pro"}, "serve": {"variant": "b"}}
    await service.ok("POST", "/flags", flag("f", 1, 2, rules=[rule], targets=[{"variant": "b", "keys": ["vip"]}]))
    await service.ok("POST", "/flags", flag("s", 1, 2, default=SPLIT))
    by_rule = await evaluated(service, "f", {"context": {"plan": "pro"}})
    by_target = await evaluated(service, "f", {"context": {"targetingKey": "vip"}})
    assert (by_rule["reason"], by_rule["metadata"]["reason"]) == ("TARGETING_MATCH", "RULE_MATCH")
    assert by_rule["metadata"] == {"version": 1, "flagSetId": "crossfade", "reason": "RULE_MATCH", "rule": "pros"}
    assert (by_target["reason"], by_target["metadata"]["reason"]) == ("TARGETING_MATCH", "TARGET_MATCH")
    assert (await evaluated(service, "s"))["reason"] == "SPLIT"


def test_every_reason_of_ours_has_a_word_that_clients_know_or_is_an_error() -> None:
    assert {OPENFEATURE_REASON[reason] for reason in Reason} <= REASONS | {"ERROR"}


async def test_a_disabled_flag_is_a_success_without_a_value(service: Service) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2, enabled=False))
    told = await evaluated(service, "f")
    assert (told["reason"], told["variant"]) == ("DISABLED", "b")
    assert "value" not in told


async def test_a_killed_flag_gives_its_off_value_and_says_so(service: Service) -> None:
    await service.ok("POST", "/flags", flag("f", True, False))
    assert (await evaluated(service, "f"))["value"] is True
    await service.ok("POST", "/flags/f/kill")
    told = await evaluated(service, "f")
    assert (told["value"], told["variant"], told["reason"]) == (False, "b", "STATIC")
    assert told["metadata"]["killed"] is True
    await service.ok("DELETE", "/flags/f/kill")
    told = await evaluated(service, "f")
    assert told["value"] is True
    assert "killed" not in told["metadata"]


async def test_an_answer_is_that_of_the_document_in_force(service: Service) -> None:
    await service.ok("POST", "/flags", flag("f", "old", "x"))
    assert (await evaluated(service, "f"))["value"] == "old"
    await service.ok("DELETE", "/flags/f", if_match="*")
    await service.ok("POST", "/flags", flag("f", "new", "x"))
    assert (await evaluated(service, "f"))["value"] == "new"


async def test_answers_of_flags_that_are_gone_are_forgotten(service: Service) -> None:
    for number in range(5):
        await service.ok("POST", "/flags", flag(f"f{number}", 1, 2))
        await evaluated(service, f"f{number}")
        await service.ok("DELETE", f"/flags/f{number}", if_match="*")
    assert len(service.services.ofrep.answers._written) <= 2


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"context": {}}', b'{"context": null}', b'{"x": 1}'])
async def test_nobody_in_particular_may_ask(service: Service, content: bytes | None) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2))
    await service.ok("POST", "/flags", flag("s", 1, 2, default=SPLIT))
    assert (await service.client.post("/ofrep/v1/evaluate/flags/f", content=content)).json()["value"] == 1
    told = await refused(service, 400, "TARGETING_KEY_MISSING", "/ofrep/v1/evaluate/flags/s", content)
    assert told["key"] == "s"
    assert "targetingKey" in told["errorDetails"]


@pytest.mark.parametrize("content", [b"{", b"nonsense", b"\xff", b" ", b"[" * 100 + b"]" * 100])
async def test_what_is_no_json_is_a_parse_error(service: Service, content: bytes) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2))
    assert (await refused(service, 400, "PARSE_ERROR", "/ofrep/v1/evaluate/flags/f", content))["key"] == "f"
    assert "key" not in await refused(service, 400, "PARSE_ERROR", "/ofrep/v1/evaluate/flags", content)


@pytest.mark.parametrize("content", [b"[]", b"1", b'"x"', b"null", b'{"context": []}', b'{"context": "u1"}'])
async def test_a_context_that_is_no_object_is_invalid(service: Service, content: bytes) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2))
    await refused(service, 400, "INVALID_CONTEXT", "/ofrep/v1/evaluate/flags/f", content)
    await refused(service, 400, "INVALID_CONTEXT", "/ofrep/v1/evaluate/flags", content)


@pytest.mark.parametrize("key", [b"1.5", b"[]", b"true", b'"%s"' % (b"x" * 1025), b"99999999999999999999"])
async def test_a_key_that_names_nobody_is_an_invalid_context(service: Service, key: bytes) -> None:
    await service.ok("POST", "/flags", flag("s", 1, 2, default=SPLIT))
    body = b'{"context": {"targetingKey": %s}}' % key
    await refused(service, 400, "INVALID_CONTEXT", "/ofrep/v1/evaluate/flags/s", body)


@pytest.mark.parametrize(
    ("path", "key"), [("none", "none"), ("a%20b", "a b"), ("a/b", "a/b"), ("%C3%A9", "é"), ("", ""), ("x%2Fy", "x/y")]
)
async def test_an_unknown_flag_is_not_found_whatever_its_name(service: Service, path: str, key: str) -> None:
    assert (await refused(service, 404, "FLAG_NOT_FOUND", f"/ofrep/v1/evaluate/flags/{path}"))["key"] == key


async def test_a_flag_that_hashes_something_else_tells_whom_it_took_the_caller_for(service: Service) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2, bucket_by="tenant", default=SPLIT))
    told = await evaluated(service, "f", {"context": {"tenant": "acme"}})
    assert told["metadata"]["contextId"] == "acme"
    missing = await refused(service, 400, "TARGETING_KEY_MISSING", "/ofrep/v1/evaluate/flags/f", b"{}")
    assert "tenant" in missing["errorDetails"]


async def test_so_does_one_that_hashes_what_stands_inside_an_attribute(service: Service) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2, bucket_by="/user/id", default=SPLIT))
    told = await evaluated(service, "f", {"context": {"user": {"id": "u1"}}})
    assert told["metadata"]["contextId"] == "u1"


@pytest.mark.parametrize(
    ("scopes", "f", "g"),
    [([], 200, 200), (["flag:f"], 200, 403), (["route:rag"], 403, 403), (["route:rag", "flag:g"], 403, 200)],
)
async def test_a_scoped_token_sees_what_it_names(service: Service, scopes: list[str], f: int, g: int) -> None:
    await service.with_rag()
    for key in ("f", "g"):
        await service.ok("POST", "/flags", flag(key, 1, 2))
    made = await service.ok("POST", "/tokens", {"id": "app", "role": "evaluate", "scopes": scopes})
    async with service.token(made["token"]) as client:
        for key, status in (("f", f), ("g", g), ("none", 403 if scopes else 404)):
            answer = await client.post(f"/ofrep/v1/evaluate/flags/{key}")
            assert (answer.status_code, answer.json()["key"]) == (status, key)
        of_route = await client.post("/ofrep/v1/evaluate/flags/rag-v2", content=b'{"context":{"targetingKey":"u"}}')
        assert of_route.status_code == (403 if scopes == ["flag:f"] else 200)


@pytest.mark.parametrize("name", ["X-API-Key", "Authorization", "X-Crossfade-Token"])
async def test_a_token_may_be_shown_in_any_of_three_headers(service: Service, name: str) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2))
    shown = {name: f"Bearer {ADMIN}" if name == "Authorization" else ADMIN}
    async with service.token(None) as client:
        assert (await client.post("/ofrep/v1/evaluate/flags/f", headers=shown)).status_code == 200
        elsewhere = await client.post("/flags/f/evaluate", headers=shown)
        assert elsewhere.status_code == (401 if name == "X-API-Key" else 422)


@pytest.mark.parametrize(("role", "status"), [(None, 401), ("read", 403), ("operate", 403), ("evaluate", 404)])
async def test_who_may_not_ask_is_told_so_in_the_same_shape(service: Service, role: str | None, status: int) -> None:
    token = (await service.ok("POST", "/tokens", {"id": "app", "role": role}))["token"] if role else None
    async with service.token(token) as client:
        for path in ("/ofrep/v1/evaluate/flags/x", "/ofrep/v1/evaluate/flags", "/api/ofrep/v1/evaluate/flags/x"):
            answer = await client.post(path)
            if status != 404:
                assert (answer.status_code, answer.json()["errorCode"]) == (status, "GENERAL")
                assert answer.json()["errorDetails"]
                assert answer.json().get("key") == ("x" if path.endswith("/x") else None)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/ofrep/v1/evaluate/flags/x", 405, "POST, OPTIONS"),
        ("PUT", "/ofrep/v1/evaluate/flags", 405, "POST, OPTIONS"),
        ("POST", "/ofrep/v1/events", 405, "GET, OPTIONS"),
        ("GET", "/ofrep/v1/configuration", 404, None),
        ("GET", "/ofrep", 404, None),
        ("POST", "/ofrep/v2/evaluate/flags", 404, None),
    ],
)
async def test_what_there_is_not_is_refused_in_the_same_shape(
    service: Service, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = await service.ask(method, path)
    assert (answer.status_code, answer.headers.get("allow")) == (status, allow)
    assert answer.json()["errorCode"] == "GENERAL"


async def test_too_many_failed_logins_are_told_with_the_seconds_to_wait(service: Service) -> None:
    async with service.token("none.wrong") as client:
        statuses = [(await client.post("/ofrep/v1/evaluate/flags/x")).status_code for _ in range(11)]
        last = await client.post("/ofrep/v1/evaluate/flags/x")
    assert statuses == [401] * 10 + [429]
    assert last.headers["retry-after"] == "60"
    assert last.json()["errorCode"] == "GENERAL"


async def test_an_error_of_the_service_is_told_as_clients_read_it(service: Service) -> None:
    await service.ok("POST", "/flags", flag("f", 1, 2))
    object.__setattr__(service.services.ofrep, "answers", None)
    for path in ("/ofrep/v1/evaluate/flags/f", "/ofrep/v1/evaluate/flags"):
        await refused(service, 500, "GENERAL", path)


async def test_no_other_path_speaks_ofrep(service: Service) -> None:
    answer = await service.ask("GET", "/ofrepx")
    assert (answer.status_code, answer.json()["code"]) == (404, Code.NOT_FOUND)
    assert (await service.ask("POST", "/flags", FLAG)).status_code == 201
