"""Which calls are the same question."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given

from routers.cache.key import KEY_BYTES, LARGEST_QUESTION, key_of
from routers.call import Call, Headers
from routers.model import Route
from tests.routers.test_compare_documents import JSON

JSON_TYPE: Headers = [(b"content-type", b"application/json")]


def route(**fields: Any) -> Route:
    document = {
        "name": "rag",
        "flag": "rag-v2",
        "profile": "rag",
        "backends": {"legacy": {"url": "http://legacy"}, "new": {"url": "http://new"}},
        "cache": {"ttl_s": 60},
    }
    return Route.model_validate(document | fields)


def key(
    body: bytes = b"",
    headers: Headers = JSON_TYPE,
    *,
    method: str = "POST",
    path: str = "/query",
    unit: str | int | None = "u1",
    backend: str = "new",
    of: Route | None = None,
) -> bytes | None:
    return key_of(of or route(), backend, Call(method, path, headers, body), unit)


@given(JSON)
def test_json_may_be_spaced_and_ordered_as_it_likes(document: Any) -> None:
    backwards = orjson.loads(orjson.dumps(document))
    written = json.dumps(_turned(backwards), indent=3).encode()
    assert key(json.dumps(document).encode()) == key(written)


def _turned(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _turned(document[name]) for name in reversed(document)}
    return [_turned(each) for each in document] if isinstance(document, list) else document


@given(JSON, JSON)
def test_other_json_is_another_question(one: Any, other: Any) -> None:
    first, second = (json.dumps(each, sort_keys=True) for each in (one, other))
    assert (key(first.encode()) == key(second.encode())) == (first == second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"1", b'"1"'),
        (b"1", b"1.0"),
        (b"12345678901234567890123", b"12345678901234567890124"),
        (b"0.1000000000000000055", b"0.1"),
        (b"true", b"1"),
        (b'{"a":1,"a":2}', b'{"a":2,"a":1}'),
        (b'{"a":1,"a":2}', b'{"a":2}'),
        (b"[]", b"{}"),
        (b'["object", []]', b"{}"),
        (b'["number", "1"]', b"1"),
        (b"null", b""),
        (b"NaN", b"nan"),
        (b"[" * 5000, b"[" * 5001),
    ],
)
def test_what_a_backend_may_tell_apart_has_two_keys(one: bytes, other: bytes) -> None:
    assert key(one) != key(other)


def test_bodies_that_are_no_json_count_by_their_bytes_and_their_type() -> None:
    plain: Headers = [(b"content-type", b"text/plain")]
    assert key(b'{"a": 1}', plain) != key(b'{"a":1}', plain)
    assert key(b"{}", plain) != key(b"{}", [(b"content-type", b"text/html")])


def test_the_order_of_a_query_does_not_matter_but_its_values_do() -> None:
    assert key(path="/q?a=1&b=2&a=0") == key(path="/q?b=2&a=0&a=1")
    assert key(path="/q?a=1") != key(path="/q?a=2")
    assert key(path="/q?a=1") != key(path="/q")
    assert key(path="/Q") != key(path="/q")


def test_users_backends_routes_and_versions_have_answers_of_their_own() -> None:
    told = [
        key(),
        key(unit="u2"),
        key(unit=1),
        key(unit="1"),
        key(backend="legacy"),
        key(of=route(name="other")),
        key(of=route(version=2)),
        key(method="QUERY"),
    ]
    assert len(set(told)) == len(told)
    assert all(each is not None and len(each) == KEY_BYTES for each in told)


@pytest.mark.parametrize("name", [b"Authorization", b"Cookie", b"X-Api-Key", b"Accept-Language", b"X-Plan"])
def test_credentials_varying_headers_and_attributes_make_another_key(name: bytes) -> None:
    document = route(attributes={"plan": {"header": "X-Plan"}})
    one, other = (key(headers=[*JSON_TYPE, (name, value)], of=document) for value in (b"a", b"b"))
    assert one != other
    assert one != key(of=document)
    assert key(headers=[*JSON_TYPE, (b"x-request-id", b"1")], of=document) == key(of=document)


@pytest.mark.parametrize("name", [b"accept-language", b"x-plan", b"content-type", b"cookie", b"x-user-id"])
def test_what_a_connection_header_keeps_from_the_backend_is_no_part_of_the_question(name: bytes) -> None:
    document = route(attributes={"plan": {"header": "X-Plan"}})
    told: Headers = [(b"content-type", b"text/plain"), (b"x-user-id", b"u1"), (name, b"a")]
    kept = [header for header in told if header[0] != name]
    assert key(headers=[*told, (b"connection", name)], of=document) == key(headers=kept, of=document)
    assert key(headers=told, of=document) != key(headers=kept, of=document)


def test_another_key_header_besides_the_first_makes_another_question() -> None:
    once: Headers = [*JSON_TYPE, (b"x-user-id", b"u1")]
    assert key(headers=[*once, (b"x-user-id", b"u2")]) != key(headers=once)


def test_shared_answers_are_the_same_for_all_users_but_not_for_all_attributes() -> None:
    shared = route(cache={"ttl_s": 60, "shared": True}, attributes={"tenant": {"header": "X-Tenant"}})
    assert key(of=shared, unit=None) == key(of=shared, unit="u2") is not None
    assert key(of=shared, headers=[*JSON_TYPE, (b"cookie", b"a=1")]) == key(of=shared)
    assert key(of=shared, headers=[*JSON_TYPE, (b"x-tenant", b"a")]) != key(of=shared)


@pytest.mark.parametrize(
    "told",
    [
        {"unit": None},
        {"of": route(cache=None)},
        {"of": route(fallback={"replay": "never"})},
        {"of": route(profile="raw")},
        {"method": "PUT"},
        {"method": "DELETE"},
        {"method": "HEAD"},
        {"method": "OPTIONS"},
        {"body": b"x" * (LARGEST_QUESTION + 1)},
        {"headers": [(b"Range", b"bytes=0-1")]},
    ],
)
def test_what_is_no_question_has_no_key(told: dict[str, Any]) -> None:
    assert key(**told) is None


def test_a_get_is_a_question_whatever_may_be_sent_twice() -> None:
    assert key(method="GET", of=route(profile="raw", fallback={"replay": "never"})) is not None


def test_an_attribute_from_a_cookie_keeps_shared_answers_apart() -> None:
    document = route(cache={"ttl_s": 60, "shared": True}, attributes={"tenant": {"cookie": "tenant"}})
    one, other = (key(of=document, headers=[*JSON_TYPE, (b"cookie", each)]) for each in (b"tenant=a", b"tenant=b"))
    assert one != other
