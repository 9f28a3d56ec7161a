"""Ugly input on every surface of HTTP: a problem with a code, no error of the service, and nothing has changed."""

from typing import Any

import httpx
import pytest

from tests.inprocess import Service

HUGE = b"9" * 5000
DEEP = b"[" * 40 + b"]" * 40

BODIES: list[bytes] = [
    b"",
    b"[]",
    b'"x"',
    b"1",
    b"{",
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"\x00",
    b'{"a": ' + DEEP + b"}",
    b'{"reason": "a", "reason": "b"}',
    b'{"reason": NaN}',
    b'{"reason": Infinity}',
    b'{"reason": 1e309}',
    b'{"reason": ' + HUGE + b"}",
    b'{"reason": "\\ud800"}',
    b'{"reason": "\xed\xa0\x80"}',
    b'{"reason": "\\u0000"}',
    b'{"reason": ["x"]}',
    b'{"reason": "' + b"x" * 2001 + b'"}',
    b'{"nobody": "knows this"}',
    b'{"__proto__": {}}',
    b'{"\\u0000": 1}',
    b"reason=x",
    b"<?xml version='1.0'?>",
    b"{'reason': 'x'}",
    b'{"reason": "x",}',
]
"""What no endpoint takes; an empty body is one where a body is needed."""

TAKES_BODY = [
    ("POST", "/flags"),
    ("PUT", "/flags/rag-v2"),
    ("PATCH", "/flags/rag-v2"),
    ("PUT", "/flags/rag-v2/rollout"),
    ("POST", "/flags/rag-v2/evaluate"),
    ("POST", "/flags/rag-v2/revert"),
    ("POST", "/routes"),
    ("PUT", "/routes/rag"),
    ("PATCH", "/routes/rag"),
    ("POST", "/routes/rag/decision"),
    ("POST", "/tokens"),
    ("POST", "/import"),
]
MAY_TAKE_BODY = [
    ("DELETE", "/flags/rag-v2"),
    ("DELETE", "/routes/rag"),
    ("POST", "/flags/rag-v2/kill"),
    ("DELETE", "/flags/rag-v2/kill"),
    ("POST", "/kill-switch"),
    ("DELETE", "/kill-switch"),
    ("POST", "/breakers/rag/new/open"),
    ("DELETE", "/tokens/ci"),
]


@pytest.fixture
async def standing(service: Service) -> Service:
    """Run a service with a flag, a route and a token."""
    await service.with_rag(10)
    await service.ok("POST", "/tokens", {"id": "ci", "role": "read"})
    return service


async def state_of(service: Service) -> Any:
    """Return everything that can be changed."""
    paths = ("/export", "/kill-switch", "/tokens", "/breakers", "/readyz")
    return [await service.ok("GET", path) for path in paths]


def assert_is_a_problem(answer: httpx.Response, what: object) -> None:
    """Check that a person and a program are told what is wrong with their request."""
    assert 400 <= answer.status_code < 500, (what, answer.status_code, answer.text[:200])
    assert answer.headers["content-type"] == "application/problem+json", (what, answer.text[:200])
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["code"]
    assert problem["detail"]


@pytest.mark.parametrize(("method", "path"), TAKES_BODY + MAY_TAKE_BODY)
async def test_ugly_bodies_are_problems_and_change_nothing(standing: Service, method: str, path: str) -> None:
    before = await state_of(standing)
    for body in BODIES if (method, path) in TAKES_BODY else BODIES[1:]:
        answer = await standing.client.request(method, path, content=body, headers={"If-Match": "1"})
        assert_is_a_problem(answer, body[:60])
    assert await state_of(standing) == before


@pytest.mark.parametrize(
    "percentage",
    ["1e309", '"10"', "true", "null", "-1", "-0.001", "100.0001", "101", "0.0005", "1e-7", "[]", "NaN", "9" * 5000],
)
async def test_what_is_no_percentage_is_422_or_400_and_changes_nothing(standing: Service, percentage: str) -> None:
    before = await state_of(standing)
    body = f'{{"percentage": {percentage}}}'
    assert_is_a_problem(await standing.client.put("/flags/rag-v2/rollout", content=body), percentage[:20])
    assert await state_of(standing) == before


async def test_minus_nothing_is_nothing(standing: Service) -> None:
    answer = await standing.client.put("/flags/rag-v2/rollout", content=b'{"percentage": -0.0}')
    assert answer.json()["default"]["split"][0]["weight"] == 0


PATHS = [
    "/flags/..",
    "/flags/%2e%2e",
    "/flags/a%2Fb",
    "/flags/a%00b",
    "/flags/%ff",
    "/flags/%ED%A0%80",
    "/flags/" + "a" * 20_000,
    "/flags//",
    "//flags",
    "/flags/",
    "/flags/%ff/history",
    "/routes/a%2Fb/history",
    "/routes/%00",
    "/routes/" + "a" * 20_000 + "/history",
    "/a%2fb/v2/health",
    "/rag/nope/health",
    "/api/api/flags",
    "/api",
    "/route",
    "/route/",
    "/route/%00",
    "/route/..",
    "/route/rag/../flags",
    "/route/rag/%2e%2e/flags",
    "/flags?limit=-1",
    "/flags?limit=0",
    "/flags?limit=1001",
    "/flags?limit=1e3",
    "/flags?limit=",
    "/flags?limit=" + "9" * 5000,
    "/flags?limit=%00",
    "/flags?kind=x",
    "/audit?before=-1",
    "/audit?before=1.5",
    "/audit?before=" + "9" * 5000,
    "/audit?before=%00",
    "/audit?target=%00",
    "/audit?target=flag",
    "/flags/rag-v2/history?before=x",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
async def test_ugly_paths_and_queries_are_problems(standing: Service, path: str) -> None:
    # a plain client would mend some of them on the way
    request = standing.client.build_request("GET", "/")
    request.url = httpx.URL("http://crossfade").copy_with(raw_path=path.encode())
    assert_is_a_problem(await standing.client.send(request), path[:60])


@pytest.mark.parametrize("method", ["FOO", "TRACE", "PROPFIND", "QUERY", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path", ["/flags", "/import", "/metrics", "/outcomes", "/api/outcomes", "/routes/rag/decision"]
)
async def test_a_method_that_does_not_go_with_a_path_is_405(standing: Service, method: str, path: str) -> None:
    answer = await standing.client.request(method, path)
    assert_is_a_problem(answer, (method, path))
    assert answer.status_code == 405


@pytest.mark.parametrize("version", ["x", "-1", "1.5", '"', "W/x", "1,2", "9" * 5000, "", "**", "'1'", "٣"])
async def test_a_version_that_is_none_is_400_and_changes_nothing(standing: Service, version: str) -> None:
    before = await state_of(standing)
    answer = await standing.client.patch(
        "/flags/rag-v2", content=b'{"owner": "x"}', headers={"If-Match": version.encode()}
    )
    assert_is_a_problem(answer, version[:20])
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert await state_of(standing) == before


KEYS = [b"{}", b"[]", b"true", b"1.5", HUGE[:30], b'"' + b"x" * 2**20 + b'"']
CONTEXTS = [
    b"[]",
    b"null",
    b'"x"',
    b"1",
    DEEP,
    b'{"targetingKey": 1e309}',
    b'{"a": NaN}',
    b'{"targetingKey": "\\ud800"}',
]


@pytest.mark.parametrize("path", ["/routes/rag/decision", "/flags/rag-v2/evaluate"])
async def test_a_key_that_names_nobody_is_a_reason_and_a_context_that_is_none_a_problem(
    standing: Service, path: str
) -> None:
    for key in KEYS:
        answer = await standing.client.post(path, content=b'{"context": {"targetingKey": %s}}' % key)
        assert (answer.status_code, answer.json()["reason"]) == (200, "INVALID_CONTEXT"), key[:20]
    for context in CONTEXTS:
        assert_is_a_problem(await standing.client.post(path, content=b'{"context": %s}' % context), context[:20])


@pytest.mark.parametrize("key", [b"\xff", b"x" * 8000, b"", b" ", b"\xed\xa0\x80", b"a,b", b'"'])
async def test_any_header_of_a_caller_is_carried_on(standing: Service, key: bytes) -> None:
    answer = await standing.client.get("/route/rag", headers={"X-User-Id": key})
    assert (answer.status_code, answer.headers["x-crossfade-backend"] in {"legacy", "new"}) == (200, True)


EXPIRIES = [
    "1e309",
    "99999999999999",
    '"1700000000"',
    '"2030-01-01T00:00:00"',
    '"0001-01-01T00:00:00+14:00"',
    "[]",
    '""',
]


@pytest.mark.parametrize("expires", EXPIRIES)
async def test_a_token_ends_at_a_time_with_a_zone_or_never(standing: Service, expires: str) -> None:
    body = f'{{"id": "a", "role": "read", "expires_at": {expires}}}'
    assert_is_a_problem(await standing.client.post("/tokens", content=body), expires)


BOUNDS = [
    ("POST", "/flags", {"key": "x" * 129}),
    ("POST", "/flags", {"key": "x", "description": "x" * 2001}),
    ("POST", "/flags", {"key": "x", "owner": "x" * 129}),
    ("POST", "/flags", {"key": "x", "tags": ["x"] * 65}),
    ("POST", "/flags", {"key": "x", "tags": ["x" * 129]}),
    ("POST", "/flags", {"key": "x", "salt": "x" * 257}),
    ("POST", "/flags", {"key": "x", "bucket_by": "x" * 129}),
    ("POST", "/flags", {"key": "x", "variants": {f"v{n}": n for n in range(65)}}),
    ("POST", "/flags", {"key": "x", "targets": [{"variant": "on", "keys": ["x" * 1025]}]}),
    ("POST", "/routes", {"name": "x" * 65, "flag": "rag-v2", "backends": {"legacy": {"url": "http://x"}}}),
    (
        "PATCH",
        "/routes/rag",
        {"attributes": {"x" * 129: {"header": "X-Plan"}}},
    ),
    ("PATCH", "/routes/rag", {"key": {"header": "x" * 65}}),
    ("PATCH", "/routes/rag", {"key": {"json": "x" * 257}}),
    ("PATCH", "/routes/rag", {"aliases": ["/" + "x" * 256]}),
    ("POST", "/tokens", {"id": "x" * 65, "role": "read"}),
    ("POST", "/tokens", {"id": "x", "role": "read", "description": "x" * 201}),
]


@pytest.mark.parametrize(("method", "path", "body"), BOUNDS)
async def test_names_and_texts_have_a_greatest_length(
    standing: Service, method: str, path: str, body: dict[str, Any]
) -> None:
    before = await state_of(standing)
    answer = await standing.ask(method, path, body, if_match="1")
    assert_is_a_problem(answer, body)
    assert answer.status_code == 422
    assert await state_of(standing) == before
