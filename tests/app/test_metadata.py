"""Metadata in answers: what a frontend of 003's kind reads, added to what the backend said and to nothing else."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from routers.call import Answer, Call, SendError
from routers.causes import Cause
from routers.profiles.answers import MOST_BYTES
from tests.inprocess import Service, running, settings_in

PERSONAS = b'{"success": true, "personas": [{"id": 12345678901234567890123, "weight": 1.0}]}'
FLAG = {"key": "persona-v2", "variants": {"new": True, "legacy": False}}
ROUTE = {
    "name": "persona",
    "flag": "persona-v2",
    "profile": "persona",
    "aliases": ["/api/generate-personas"],
    "auth": "none",
    "backends": {"legacy": {"url": "http://legacy:1"}, "new": {"url": "http://new:2"}},
}


def says(body: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Callable[[Call], Answer]:
    """Answer with this body as JSON, unless a header says something else."""
    told = {b"content-type": b"application/json", b"content-length": b"%d" % len(body)} | dict(headers)
    return lambda _: Answer(status, [*told.items()], body)


@pytest.fixture
async def personas(tmp_path: Path) -> AsyncIterator[Service]:
    """Run a service with the route of the persona migration, everybody on the new side."""
    async with running(settings_in(tmp_path)) as service:
        await service.ok("POST", "/flags", FLAG)
        await service.ok("POST", "/routes", ROUTE)
        await service.ok("PUT", "/flags/persona-v2/rollout", {"percentage": 100})
        service.script.answers = {"http://new:2": says(PERSONAS), "http://legacy:1": says(PERSONAS)}
        yield service


async def generated(service: Service, method: str = "POST", **headers: str) -> Any:
    """Ask as a browser does, without a token."""
    async with service.token(None) as browser:
        named = {"X-User-Id": "u1"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return await browser.request(method, "/api/generate-personas", content=b'{"brief": "b"}', headers=named)


async def test_an_answer_says_where_it_is_from_how_long_it_took_and_what_the_flag_decided(personas: Service) -> None:
    answer = await generated(personas)
    assert answer.content.startswith(PERSONAS[:-1] + b",")
    added = {name: value for name, value in answer.json().items() if name not in {"success", "personas"}}
    assert added == {
        "generation": {"source": "new", "processingTime": 0},
        "featureFlags": {"persona-v2": {"variant": "new", "reason": "SPLIT", "version": 2}},
        "timestamp": "2027-01-15T08:00:00.000Z",
    }
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_after_a_fallback_it_says_why_and_from_where(personas: Service) -> None:
    personas.script.answers["http://new:2"] = lambda _: SendError(Cause.TIMEOUT, "as the script says")
    answer = (await generated(personas)).json()
    assert answer["generation"]["source"] == "fallback-legacy"
    assert answer["fallback"] == {"used": True, "reason": "timeout", "from": "new"}
    assert answer["featureFlags"]["persona-v2"]["variant"] == "new"


async def test_who_is_killed_back_to_legacy_has_not_fallen_back(personas: Service) -> None:
    await personas.ok("POST", "/kill-switch", {"scope": "all"})
    answer = (await generated(personas)).json()
    assert (answer["generation"]["source"], "fallback" in answer) == ("legacy", False)
    assert answer["featureFlags"]["persona-v2"]["reason"] == "KILLED"


async def test_what_the_backend_said_itself_stays(personas: Service) -> None:
    own = b'{"generation": {"source": "qloo-first", "took": 1.50}, "timestamp": 7, "fallback": null, "personas": []}'
    personas.script.answers["http://new:2"] = says(own)
    answer = await generated(personas)
    assert b'"took": 1.50,"processingTime":0}, "timestamp": 7, "fallback": null' in answer.content
    assert answer.json()["generation"] == {"source": "qloo-first", "took": 1.5, "processingTime": 0}


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'[{"a": 1}]', {}, 200),
        (b'"text"', {}, 200),
        (b"", {}, 204),
        (b'{"detail": "wrong brief"}', {}, 400),
        (b'{"a": 1}', {b"content-type": b"text/plain"}, 200),
        (b'{"a": 1}', {b"content-encoding": b"own"}, 200),
        (b'{"a": 1}', {b"cache-control": b"private, No-Transform"}, 200),
        (b'{"a": 1}', {b"content-range": b"bytes 0-7/90"}, 206),
        (b'{"a": "' + b"x" * MOST_BYTES + b'"}', {}, 200),
        ('\ufeff{"a": NaN}'.encode("utf-16-le"), {}, 200),
    ],
)
async def test_every_other_answer_passes_byte_by_byte(
    personas: Service, body: bytes, headers: dict[bytes, bytes], status: int
) -> None:
    told = {b"etag": b'"v1"', **headers}
    personas.script.answers["http://new:2"] = lambda _: Answer(
        status, [*({b"content-type": b"application/json"} | told).items()], body
    )
    answer = await generated(personas)
    assert (answer.status_code, answer.headers["etag"], answer.content) == (status, '"v1"', body)


async def test_a_head_keeps_the_length_its_backend_announces(personas: Service) -> None:
    personas.script.answers["http://new:2"] = lambda _: Answer(
        200, [(b"content-type", b"application/json"), (b"content-length", b"77")], b""
    )
    answer = await generated(personas, "HEAD")
    assert (answer.headers["content-length"], answer.content) == ("77", b"")


async def test_headers_that_were_true_of_other_bytes_are_gone_and_an_etag_is_weak(personas: Service) -> None:
    digests = dict.fromkeys((b"content-md5", b"digest", b"content-digest", b"repr-digest"), b"x")
    for etag, seen in ((b'"v1"', 'W/"v1"'), (b'W/"v1"', 'W/"v1"')):
        personas.script.answers["http://new:2"] = says(PERSONAS, (b"etag", etag), (b"x-own", b"1"), *digests.items())
        answer = await generated(personas)
        assert not {name.decode() for name in digests} & {*answer.headers}
        assert (answer.headers["etag"], answer.headers["x-own"]) == (seen, "1")


@pytest.mark.parametrize("media", [b"application/json; charset=utf-8", b"application/vnd.persona+json"])
async def test_json_of_any_name_is_told(personas: Service, media: bytes) -> None:
    personas.script.answers["http://new:2"] = says(PERSONAS, (b"content-type", media))
    assert "generation" in (await generated(personas)).json()


async def test_the_backend_is_asked_for_an_answer_that_is_not_compressed(personas: Service) -> None:
    await generated(personas, Accept_Encoding="gzip, br")
    [(_, call)] = personas.script.sent
    assert [value for name, value in call.headers if name == b"accept-encoding"] == [b"identity"]


async def test_without_metadata_the_answer_and_the_callers_encodings_pass_as_they_are(personas: Service) -> None:
    await personas.ok("PATCH", "/routes/persona", {"metadata": False}, if_match="*")
    answer = await generated(personas, Accept_Encoding="gzip, br")
    assert answer.content == PERSONAS
    [(_, call)] = personas.script.sent
    assert (b"accept-encoding", b"gzip, br") in call.headers


async def test_a_raw_route_that_asks_for_metadata_has_it_too(personas: Service) -> None:
    await personas.ok("PATCH", "/routes/persona", {"metadata": True, "profile": "raw"}, if_match="*")
    assert (await generated(personas)).json()["generation"]["source"] == "new"


async def test_when_no_backend_answers_it_is_a_problem_of_crossfades_own(personas: Service) -> None:
    for url in ("http://new:2", "http://legacy:1"):
        personas.script.answers[url] = lambda _: SendError(Cause.CONNECT, "as the script says")
    answer = await generated(personas)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert "generation" not in answer.json()


async def test_who_is_not_named_in_a_header_is_named_in_the_body(personas: Service) -> None:
    await personas.ok("PATCH", "/flags/persona-v2", {"targets": [{"variant": "legacy", "keys": ["u7"]}]}, if_match="*")
    async with personas.token(None) as browser:
        for headers in ({}, {"X-User-Id": "u8"}):
            await browser.post("/api/generate-personas", content=b'{"userId": "u7"}', headers=headers)
    assert [url for url, _ in personas.script.sent] == ["http://legacy:1", "http://new:2"]


async def test_signals_are_counted_by_route_and_backend(personas: Service) -> None:
    for score, hit in ((0.5, 0.25), (1.0, 0.75)):
        told = {"personas": [{"id": 1, "score": score}], "performance": {"cacheHitRate": hit}, "fallback": {}}
        usage = {"usage": {"cost_usd": 0.5}, "generation": {"processingTime": 20, "tokens": 100}}
        personas.script.answers["http://new:2"] = says(orjson.dumps({**told, **usage}))
        await generated(personas)
    personas.script.answers["http://new:2"] = says(b'{"fallback": {"reason": "rate limited"}}')
    await generated(personas)
    lines = (await personas.ask("GET", "/metrics")).text.splitlines()
    labels = '{backend="new",route="persona"}'
    expected = {
        "answer_results": (2, 2),
        "quality_score": (2, 1.5),
        "backend_cache_hits": (2, 1),
        "tokens": (2, 200),
        "cost": (2, 1),
        "backend_processing_seconds": (2, 0.04),
    }
    for name, (count, total) in expected.items():
        assert f"crossfade_{name}_count{labels} {float(count)}" in lines, name
        assert f"crossfade_{name}_sum{labels} {float(total)}" in lines, name
    assert f"crossfade_backend_fallbacks_total{labels} 1.0" in lines


async def test_nothing_is_counted_of_answers_that_failed_or_have_no_profile(personas: Service) -> None:
    told = orjson.dumps({"personas": [], "generation": {"tokens": 100}})
    personas.script.answers["http://new:2"] = says(told, status=400)
    await generated(personas)
    await personas.ok("PATCH", "/routes/persona", {"profile": "raw"}, if_match="*")
    personas.script.answers["http://new:2"] = says(told)
    await generated(personas)
    assert "crossfade_tokens_count" not in (await personas.ask("GET", "/metrics")).text
