import json
from typing import Any

import pytest
from pydantic import ValidationError

from routers.model import RESERVED, Backend, BreakerPolicy, Route, Source

FULL = {
    "name": "rag",
    "description": "questions and passages",
    "flag": "rag-v2",
    "profile": "rag",
    "aliases": ["/api/generate-personas", "/v1/rag.query"],
    "auth": "none",
    "key": {"json": "user.id"},
    "attributes": {"plan": {"header": "X-Plan"}, "tenant": {"json": "user.tenant"}},
    "deadline_ms": 4000,
    "idle_timeout_ms": 30000,
    "max_stream_ms": 600000,
    "backends": {
        "legacy": {"url": "http://rag-v1:9001", "timeout_ms": 4000, "max_concurrency": 200},
        "new": {
            "url": "https://rag-v2:9002/v2",
            "timeout_ms": 800,
            "max_concurrency": 100,
            "health": "/health",
            "breaker": {
                "failure_rate": 0.5,
                "slow_call_rate": 0.8,
                "slow_call_ms": 500,
                "minimum_calls": 20,
                "minimum_slow_calls": 30,
                "window_s": 30,
                "open_s": 5.0,
                "open_max_s": 300.0,
                "probes": 3,
                "probe_timeout_s": 30.0,
                "slow_start_s": 10.0,
            },
        },
    },
    "cache": {
        "ttl_s": 300,
        "stale_if_error_s": 3600,
        "shared": True,
        "vary": ["accept", "x-tenant"],
        "max_bytes": 1000,
        "store": "redis",
    },
    "fallback": {"to": "legacy", "replay": "never", "max_concurrency": 50},
    "signals": {
        "items": "$.results[*].id",
        "scores": "$.results[*].score",
        "cache_hit": "$.cache.hit",
        "tokens": "$.usage.total_tokens",
        "cost": "$.usage.cost_usd",
        "fallback": "$.fell_back",
        "processing_ms": "$.took",
    },
    "metadata": True,
    "shadow": {
        "sample": 0.5,
        "control_sample": 1.0,
        "candidate": "new",
        "timeout_ms": 2000,
        "max_concurrency": 2,
        "queue": 10,
        "comparison": {"kind": "json", "ignore": ["$.at"], "tolerances": [], "unordered": [], "additive": True},
        "redact": ["$.user.city"],
        "keep_examples": 5,
        "keep_s": 3600,
    },
    "record": {"sample": 0.5},
    "version": 3,
    "updated_at": "2026-01-01T00:00:00Z",
    "updated_by": "ops",
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The full document with one value, named by its dotted path, put in place of another."""
    document = json.loads(json.dumps(FULL))
    *way, last = path.split("/")
    place = document
    for step in way:
        place = place[step]
    place[last] = value
    return document


def test_what_was_written_is_what_is_read_again() -> None:
    route = Route.model_validate(FULL)
    document = json.loads(route.model_dump_json())
    assert {name: value for name, value in document.items() if name not in {"backends", "key", "attributes"}} == {
        name: value for name, value in FULL.items() if name not in {"backends", "key", "attributes"}
    }
    assert Route.model_validate(document) == route
    assert document["key"]["json"] == "user.id"
    assert document["backends"]["new"] == FULL["backends"]["new"]


def test_four_fields_make_a_route() -> None:
    route = Route.model_validate({"name": "x", "flag": "x", "backends": {"legacy": {"url": "http://a:1"}}})
    assert (route.fallback.to, route.auth, route.profile, route.shadow) == ("legacy", "token", "raw", None)
    assert route.key == Source(header="X-User-Id")
    assert route.backends["legacy"].breaker.open_s >= 5, "the first open wait is five seconds by default"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("surprise", 1, "surprise"),
        ("backends/new/surprise", 1, "backends.new.surprise"),
        ("backends/new/breaker/surprise", 1, "backends.new.breaker.surprise"),
        ("name", "", "name"),
        ("name", "RAG", "name"),
        ("name", "-rag", "name"),
        ("name", "a/b", "name"),
        ("name", "rag\n", "name"),
        ("name", "x" * 65, "name"),
        ("name", "flags", 'name may not be "flags"'),
        ("flag", "", "flag"),
        ("flag", "a b", "flag"),
        ("description", "x" * 2001, "description"),
        ("profile", "soap", "profile"),
        ("auth", "basic", "auth"),
        ("aliases", ["api/x"], "aliases"),
        ("aliases", ["/"], "aliases"),
        ("aliases", ["/a/"], "aliases"),
        ("aliases", ["//a"], "aliases"),
        ("aliases", ["/a/../b"], "aliases"),
        ("aliases", ["/a?b"], "aliases"),
        ("aliases", ["/" + "x" * 256], "aliases"),
        ("aliases", ["/a", "/a"], "twice"),
        ("aliases", ["/flags/rag"], '"/flags/rag"'),
        ("aliases", ["/api/flags"], '"/api/flags"'),
        ("aliases", ["/healthz"], '"/healthz"'),
        ("key", {}, 'give "header", "cookie", "json"'),
        ("key", {"header": "X A"}, "key.header"),
        ("key", {"header": ""}, "key.header"),
        ("key", {"json": ""}, "key.json"),
        ("key", {"json": "a..b"}, "key.json"),
        ("key", {"json": "a.b.c.d.e.f.g.h.i"}, "key.json"),
        ("key", {"json": "x" * 257}, "key.json"),
        ("attributes", {"a b": {"header": "X-A"}}, "attributes"),
        ("attributes", {f"a{n}": {"header": "X-A"} for n in range(65)}, "attributes"),
        ("deadline_ms", 0, "deadline_ms"),
        ("deadline_ms", 3_600_001, "deadline_ms"),
        ("deadline_ms", 1.5, "deadline_ms"),
        ("idle_timeout_ms", 0, "idle_timeout_ms"),
        ("max_stream_ms", 0, "max_stream_ms"),
        ("backends", {}, "backends"),
        ("backends", {f"b{n}": {"url": "http://a"} for n in range(17)}, "backends"),
        ("backends", {"a b": {"url": "http://a"}}, "backends"),
        ("fallback/to", "newer", 'fallback.to is "newer", which is none of the backends: legacy, new'),
        ("fallback/replay", "maybe", "fallback.replay"),
        ("backends/new/timeout_ms", 4000, "backends.new.timeout_ms (4000) must be below deadline_ms (4000)"),
        ("backends/new/timeout_ms", 0, "timeout_ms"),
        ("backends/new/max_concurrency", 0, "max_concurrency"),
        ("backends/new/health", "health", "backends.new.health"),
        ("backends/new/health", "/health?x", "backends.new.health"),
        ("backends/new/health", "/../health", "may not hold .. segments"),
    ],
)
def test_a_wrong_route_is_refused_with_the_name_of_what_is_wrong(path: str, value: Any, says: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        Route.model_validate(changed(path, value))
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "values"),
    {
        "failure_rate": [0, 1.1, float("nan")],
        "slow_call_rate": [0, 1.1],
        "slow_call_ms": [0],
        "minimum_calls": [0, 100_001],
        "minimum_slow_calls": [0, 100_001],
        "window_s": [0, 3601, 1.5],
        "open_s": [0, 3601, float("inf")],
        "open_max_s": [0, 4.9, 86_401],
        "probes": [0, 101],
        "probe_timeout_s": [0, 3601],
        "slow_start_s": [-1, 3601],
    }.items(),
)
def test_a_wrong_breaker_policy_is_refused_with_the_name_of_what_is_wrong(field: str, values: list[float]) -> None:
    for value in values:
        with pytest.raises(ValidationError, match=field):
            BreakerPolicy.model_validate({field: value})


@pytest.mark.parametrize(
    "url",
    [
        *("", "rag", "rag:9001", "//rag", "ftp://rag", "http://", "http:///x", "http://:9001", "file:///etc/passwd"),
        *(
            "http://u:p@rag",
            "http://u@rag",
            "http://@rag",
            "http://rag?x=1",
            "http://rag/?",
            "http://rag#f",
            "http://rag/#",
        ),
        *(
            "http://ra g",
            "http://rag/\t",
            "http://rag/\n",
            "http://rag/\0",
            "http://räg",
            "http://rag/ä",
            "http://rag/\\x",
        ),
        *("http://rag:x", "http://rag:99999", "http://rag:-1", "http://[::1", "http://rag/{id}", "http://rag/<x>"),
    ],
)
def test_a_backend_url_that_is_not_plain_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        Backend.model_validate({"url": url})


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://rag", "http://rag"),
        ("http://127.0.0.1:9001/", "http://127.0.0.1:9001"),
        ("https://rag.example/v2/", "https://rag.example/v2"),
        ("http://[::1]:9001", "http://[::1]:9001"),
    ],
)
def test_a_plain_url_is_kept_without_its_last_slash(url: str, kept: str) -> None:
    assert Backend.model_validate({"url": url}).url == kept


@pytest.mark.parametrize("word", sorted(RESERVED - {"openapi.json"}))
def test_no_route_takes_the_name_of_a_path_of_the_service(word: str) -> None:
    with pytest.raises(ValidationError, match="the service has a path of that name"):
        Route.model_validate(changed("name", word))


def test_a_route_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Route.model_validate(FULL).name = "other"
