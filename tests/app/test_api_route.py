"""Carried calls: what the backend is sent, what the caller gets, and what the headers say."""

import orjson
import pytest

from routers.call import Answer, SendError
from routers.causes import Cause
from tests.inprocess import ROUTE, Service


def fails(cause: Cause) -> object:
    return lambda _call: SendError(cause, "as the script says")


async def test_the_call_goes_to_the_decided_backend_with_its_path_and_query_as_they_came(service: Service) -> None:
    await service.with_rag(100)
    answer = await service.ask("PUT", "/route/rag/a%20b/c%2Fd?x=1&y=%C3%A9", {"q": 1}, X_User_Id="u1", X_Own="kept")
    [(url, call)] = service.script.sent
    assert (url, call.method, call.path, call.body) == ("http://new:2", "PUT", "/a%20b/c%2Fd?x=1&y=%C3%A9", b'{"q":1}')
    assert answer.json() == {"from": "http://new:2"}
    headers = dict(call.headers)
    assert headers[b"x-own"] == b"kept"
    assert b"authorization" not in headers


async def test_the_headers_say_what_was_decided(service: Service) -> None:
    await service.with_rag(100)
    answer = await service.ask("GET", "/api/route/rag", X_User_Id="u1")
    told = {name: value for name, value in answer.headers.items() if name.startswith("x-crossfade")}
    assert told.pop("x-crossfade-decision-id")
    assert told == {
        "x-crossfade-backend": "new",
        "x-crossfade-variant": "new",
        "x-crossfade-reason": "SPLIT",
        "x-crossfade-flag-version": "2",
    }


async def test_with_a_token_of_its_own_header_authorization_belongs_to_the_backend(service: Service) -> None:
    await service.with_rag()
    token = service.client.headers["Authorization"].removeprefix("Bearer ")
    await service.ask("GET", "/route/rag", X_Crossfade_Token=token, Authorization="Basic abc")
    [(_, call)] = service.script.sent
    headers = dict(call.headers)
    assert headers[b"authorization"] == b"Basic abc"
    assert b"x-crossfade-token" not in headers


@pytest.mark.parametrize("cause", [Cause.CONNECT, Cause.INTERRUPTED, Cause.TIMEOUT, Cause.GARBAGE])
async def test_a_failing_new_side_means_legacy_and_the_header_says_why(service: Service, cause: Cause) -> None:
    await service.with_rag(100)
    service.script.answers["http://new:2"] = fails(cause)
    answer = await service.ask("POST", "/route/rag", {}, X_User_Id="u1")
    assert (answer.status_code, answer.json()) == (200, {"from": "http://legacy:1"})
    assert answer.headers["x-crossfade-backend"] == "legacy"
    assert answer.headers["x-crossfade-fallback"] == cause


@pytest.mark.parametrize(
    ("cause", "status", "code"),
    [
        (Cause.CONNECT, 503, "route_unavailable"),
        (Cause.INTERRUPTED, 502, "route_failed"),
        (Cause.TIMEOUT, 504, "route_timeout"),
    ],
)
async def test_when_both_fail_a_problem_lists_the_attempts(
    service: Service, cause: Cause, status: int, code: str
) -> None:
    await service.with_rag(100)
    for url in ("http://new:2", "http://legacy:1"):
        service.script.answers[url] = fails(cause)
    answer = await service.ask("POST", "/route/rag", {}, X_User_Id="u1")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [(each["backend"], each["cause"]) for each in answer.json()["attempts"]] == [
        ("new", cause),
        ("legacy", cause),
    ]
    assert ("retry-after" in answer.headers) == (status == 503)
    assert "x-crossfade-fallback" not in answer.headers


async def test_who_was_not_asked_because_of_the_replay_rule_is_told_with_the_rule(service: Service) -> None:
    await service.with_rag(100)
    service.script.answers["http://new:2"] = fails(Cause.TIMEOUT)
    await service.ok("PATCH", "/routes/rag", {"fallback": {"replay": "safe"}}, if_match="*")
    problem = (await service.ask("POST", "/route/rag", {}, X_User_Id="u1")).json()
    assert 'new: timeout; legacy was not asked: fallback.replay is "safe"' in problem["detail"]
    await service.ok("PATCH", "/routes/rag", {"fallback": {"replay": "always"}}, if_match="*")
    service.script.answers["http://legacy:1"] = fails(Cause.TIMEOUT)
    problem = (await service.ask("POST", "/route/rag", {}, X_User_Id="u1")).json()
    assert problem["detail"].endswith("new: timeout; legacy: timeout")


async def test_the_same_user_is_always_on_the_same_side_and_a_raise_moves_nobody_out(service: Service) -> None:
    await service.with_rag(30)
    users = [f"user-{number}" for number in range(60)]

    async def on_new() -> set[str]:
        backends = {user: (await service.ask("GET", "/route/rag", X_User_Id=user)).headers for user in users}
        return {user for user, headers in backends.items() if headers["x-crossfade-backend"] == "new"}

    before = await on_new()
    assert before == await on_new()
    await service.ok("PUT", "/flags/rag-v2/rollout", {"percentage": 60})
    assert before < await on_new()


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_a_user_has_one_side_however_the_name_is_spelled(service: Service, encoding: str) -> None:
    await service.with_rag(50)
    for user in (f"josé-{number}" for number in range(40)):
        decision = await service.ok("POST", "/routes/rag/decision", {"context": {"targetingKey": user}})
        answer = await service.client.get("/route/rag", headers={b"X-User-Id": user.encode(encoding)})
        assert answer.headers["x-crossfade-backend"] == decision["backend"], user


async def test_without_a_user_the_call_goes_to_the_fallback(service: Service) -> None:
    await service.with_rag(100)
    answer = await service.ask("GET", "/route/rag")
    assert answer.headers["x-crossfade-backend"] == "legacy"
    assert answer.headers["x-crossfade-reason"] == "TARGETING_KEY_MISSING"


async def test_key_and_attributes_are_read_from_headers_and_json(service: Service) -> None:
    await service.with_rag()
    rule = {
        "name": "acme",
        "when": {"attribute": "tenant", "op": "eq", "value": "acme"},
        "serve": {"variant": "new"},
    }
    await service.ok("PATCH", "/flags/rag-v2", {"rules": [rule]}, if_match="*")
    sources = {"key": {"json": "user.id"}, "attributes": {"tenant": {"json": "user.tenant"}}}
    await service.ok("PATCH", "/routes/rag", sources, if_match="*")
    acme = await service.ask("POST", "/route/rag", {"user": {"id": 7, "tenant": "acme"}})
    other = await service.ask("POST", "/route/rag", {"user": {"id": 7}})
    none = await service.client.post("/route/rag", content=b"not json")
    seen = [answer.headers["x-crossfade-reason"] for answer in (acme, other, none)]
    assert seen == ["RULE_MATCH", "SPLIT", "TARGETING_KEY_MISSING"]


async def test_an_alias_is_another_name_of_the_route(service: Service) -> None:
    await service.with_rag()
    aliases = {"aliases": ["/api/generate-personas"], "auth": "none"}
    await service.ok("PATCH", "/routes/rag", aliases, if_match="*")
    async with service.token(None) as browser:
        assert (await browser.post("/api/generate-personas", content=b"{}")).status_code == 200
        assert (await browser.post("/api/generate-personas/x?y=1", content=b"{}")).status_code == 200
        assert (await browser.post("/api/generate-personas-x", content=b"{}")).status_code == 401
    assert [call.path for _, call in service.script.sent] == ["", "/x?y=1"]


@pytest.mark.parametrize(
    "alias", ["/flags", "/api/flags/x", "/api", "/metrics", "/route/x", "/a/../flags", "/kill-switch"]
)
async def test_an_alias_cannot_take_a_path_of_the_service(service: Service, alias: str) -> None:
    await service.with_rag()
    refused = await service.ask("PATCH", "/routes/rag", {"aliases": [alias]}, if_match="*")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_document")


@pytest.mark.parametrize("path", ["/../x", "/%2e%2e/x", "/a/..%2fb", "/..;/x", "/%5c..%5cx"])
async def test_a_path_that_climbs_out_of_its_prefix_is_refused(service: Service, path: str) -> None:
    await service.with_rag()
    scope_path = f"/route/rag{path}"
    answer = await raw_get(service, scope_path)
    assert answer in {400, 404}
    assert service.script.sent == []


async def raw_get(service: Service, path: str) -> int:
    """Send a path that a well-behaved client would have tidied up first."""
    transport = service.client._transport
    started: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            started.append(int(str(message["status"])))

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", service.client.headers["Authorization"].encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "scheme": "http",
        "http_version": "1.1",
    }
    await transport.app(scope, receive, send)  # type: ignore[attr-defined]
    return started[0]


async def test_an_answer_of_a_lone_backend_passes_as_it_is(service: Service) -> None:
    await service.with_rag(0)
    body = b'{"error": "mine"}'
    service.script.answers["http://legacy:1"] = lambda _: Answer(500, [(b"content-type", b"application/json")], body)
    answer = await service.ask("GET", "/route/rag", X_User_Id="u1")
    assert (answer.status_code, answer.content) == (500, body)


async def test_a_backend_cannot_make_up_crossfades_headers(service: Service) -> None:
    await service.with_rag(0)
    lie = [(b"x-crossfade-backend", b"new"), (b"content-length", b"2")]
    service.script.answers["http://legacy:1"] = lambda _: Answer(200, list(lie), b"{}")
    answer = await service.ask("GET", "/route/rag", X_User_Id="u1")
    assert answer.headers.get_list("x-crossfade-backend") == ["legacy"]


async def test_a_post_that_may_have_had_an_effect_is_not_repeated_unless_the_route_says_so(service: Service) -> None:
    await service.with_rag(100)
    await service.ok("PATCH", "/routes/rag", {"fallback": {"to": "legacy", "replay": "safe"}}, if_match="*")
    service.script.answers["http://new:2"] = fails(Cause.INTERRUPTED)
    post = await service.ask("POST", "/route/rag", {}, X_User_Id="u1")
    get = await service.ask("GET", "/route/rag", X_User_Id="u1")
    assert (post.status_code, get.status_code) == (502, 200)


async def test_an_open_breaker_is_not_asked_and_the_decision_says_so(service: Service) -> None:
    await service.with_rag(100)
    service.script.answers["http://new:2"] = fails(Cause.CONNECT)
    for _ in range(25):
        await service.ask("GET", "/route/rag", X_User_Id="u1")
    asked = sum(url == "http://new:2" for url, _ in service.script.sent)
    assert asked == 20
    decision = await service.ok("POST", "/routes/rag/decision", {"context": {"targetingKey": "u1"}})
    assert (decision["backend"], decision["variant"], decision["fallback"]) == ("legacy", "new", "breaker_open")
    breakers = await service.ok("GET", "/monitoring/circuit-breaker")
    states = {item["backend"]: item["state"] for item in breakers["items"]}
    assert (breakers["all_closed"], states) == (False, {"legacy": "closed", "new": "open"})


async def test_the_decision_is_what_the_call_would_get(service: Service) -> None:
    await service.with_rag(50)
    for user in (f"user-{number}" for number in range(30)):
        decision = await service.ok("POST", "/routes/rag/decision", {"context": {"targetingKey": user}})
        answer = await service.ask("GET", "/route/rag", X_User_Id=user)
        assert decision["backend"] == answer.headers["x-crossfade-backend"]
        assert decision["url"] == ROUTE["backends"][decision["backend"]]["url"]  # type: ignore[index]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"context": 1}', b'{"context": {}, "x": 1}', b"\xff"])
async def test_a_bad_decision_request_is_a_clear_problem(service: Service, body: bytes) -> None:
    await service.with_rag()
    answer = await service.client.post("/routes/rag/decision", content=body)
    assert answer.status_code in {400, 422}
    assert orjson.loads(answer.content)["code"] in {"malformed_json", "invalid_request"}


async def test_an_unknown_route_is_told(service: Service) -> None:
    assert (await service.ask("GET", "/route/nope")).json()["code"] == "unknown_route"
    assert (await service.ask("POST", "/routes/nope/decision", {"context": {}})).json()["code"] == "unknown_route"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"Cookie": "a=1; session=u1;b"}, "SPLIT"),
        ({"Cookie": 'session="u1"'}, "SPLIT"),
        ({"Cookie": "session="}, "TARGETING_KEY_MISSING"),
        ({"Cookie": "my-session=u1"}, "TARGETING_KEY_MISSING"),
        ({"Cookie": "session", "X_User_Id": "u1"}, "SPLIT"),
        ({}, "TARGETING_KEY_MISSING"),
    ],
)
async def test_a_browsers_cookie_can_name_the_caller(service: Service, told: dict[str, str], reason: str) -> None:
    await service.with_rag(100)
    key = {"header": "X-User-Id", "cookie": "session"}
    await service.ok("PATCH", "/routes/rag", {"key": key}, If_Match="*")
    answer = await service.ask("GET", "/route/rag", **told)
    assert answer.headers["x-crossfade-reason"] == reason
