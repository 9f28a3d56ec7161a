"""The clients of Qloo and Gemini, byte by byte: what they send, and what becomes of every answer."""

import asyncio
import json
from typing import Any

import pytest

from backends.persona.brief import Brief
from backends.persona.culture import Guide
from backends.persona.engine import Legacy, New
from backends.persona.gemini import Gemini
from backends.persona.qloo import Lookups, Qloo, UnknownPlaceError, buckets_of
from backends.persona.settings import Settings
from backends.persona.upstream import Patience, UnavailableError
from tests.faulty import (
    CLOSES_BEFORE_ANSWERING,
    CLOSES_IN_MID_ANSWER,
    ERROR,
    GARBAGE,
    GARBAGE_JSON,
    HANGS,
    REDIRECTS,
    Faulty,
    Turn,
    closed_port,
    faulty,
    whole,
)

PARIS = {"location.query": "Paris", "signal.demographics.age": "25_to_29"}
ANGELE = {
    "name": "Angèle",
    "entity_id": "A1",
    "type": "urn:entity",
    "subtype": "urn:entity:artist",
    "properties": {"popularity": 0.9},
    "query": {"affinity": 0.8, "measurements": {"audience_growth": 0.1}},
}
PERSONA = {
    "name": "Léa Moreau",
    "age": 31,
    "occupation": "graphiste",
    "location": "Paris",
    "bio": "…",
    "quote": "…",
    "interests": ["music"],
    "values": [],
    "goals": [],
    "frustrations": [],
    "culturalData": {"music": ["Angèle"], "brands": [], "restaurants": [], "films": [], "books": []},
}


def soon(seconds: float = 5.0) -> Patience:
    until = asyncio.get_running_loop().time() + seconds
    return Patience(until, until)


def answered(body: Any, status: bytes = b"200 OK", *headers: bytes) -> Turn:
    return [whole(json.dumps(body).encode(), *headers, status=status)]


def entities(*found: dict[str, Any]) -> Turn:
    return answered({"success": True, "results": {"entities": list(found)}, "duration": 3})


def written(*personas: dict[str, Any], reason: str = "STOP") -> Turn:
    content = {"parts": [{"text": json.dumps(personas)}], "role": "model"}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    candidates = [{"content": content, "finishReason": reason}]
    return answered({"candidates": candidates, "usageMetadata": usage, "modelVersion": "gemini-2.0-flash"})


async def insights(backend: Faulty, patience: Patience | None = None, lookups: Lookups | None = None) -> list[str]:
    qloo = Qloo(backend.url, "secret", 2, 60)
    try:
        found = await qloo.insights("music", PARIS, 6, patience or soon(), lookups or Lookups())
        return [entity.name for entity in found]
    finally:
        await qloo.close()


async def personas(backend: Faulty, patience: Patience | None = None) -> list[str]:
    gemini = Gemini(backend.url, "secret", "gemini-2.0-flash")
    try:
        found, _ = await gemini.write("Write.", patience or soon())
        return [persona.name for persona in found]
    finally:
        await gemini.close()


async def test_an_insight_is_asked_as_qloo_documents_it() -> None:
    async with faulty(entities(ANGELE)) as backend:
        assert await insights(backend) == ["Angèle"]
    line, _, headers = backend.heads[0].partition("\r\n")
    assert line == (
        "GET /v2/insights?filter.type=urn%3Aentity%3Aartist&signal.location.query=Paris"
        "&signal.demographics.age=25_to_29&take=6 HTTP/1.1"
    )
    assert "x-api-key: secret" in headers.lower()


async def test_restaurants_have_to_be_in_the_place_itself() -> None:
    async with faulty(entities()) as backend:
        qloo = Qloo(backend.url, "secret", 2, 60)
        await qloo.insights("restaurants", PARIS, 6, soon(), Lookups())
        await qloo.close()
    assert "filter.type=urn%3Aentity%3Aplace&filter.location.query=Paris&" in backend.heads[0]


async def test_a_text_is_asked_for_as_google_documents_it() -> None:
    async with faulty(written(PERSONA)) as backend:
        assert await personas(backend) == ["Léa Moreau"]
    head, _, body = backend.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1beta/models/gemini-2.0-flash:generateContent HTTP/1.1\r\n")
    assert b"x-goog-api-key: secret" in head
    sent = json.loads(body)
    assert sent["contents"] == [{"role": "user", "parts": [{"text": "Write."}]}]
    form = sent["generationConfig"]
    assert form["responseMimeType"] == "application/json"
    assert form["responseSchema"]["type"] == "ARRAY"
    assert form["responseSchema"]["items"]["properties"]["age"] == {"type": "INTEGER"}
    assert form["responseSchema"]["items"]["properties"]["culturalData"]["type"] == "OBJECT"


@pytest.mark.parametrize(
    ("turn", "status", "code"),
    [
        (ERROR, 503, "failed"),
        (REDIRECTS, 503, "failed"),
        (GARBAGE, 503, "unreachable"),
        (GARBAGE_JSON, 502, "garbage"),
        (CLOSES_BEFORE_ANSWERING, 503, "unreachable"),
        (CLOSES_IN_MID_ANSWER, 503, "unreachable"),
        (HANGS, 503, "timeout"),
        (answered([]), 502, "garbage"),
        (answered({"errors": [{"message": "no"}]}, b"403 Forbidden"), 502, "forbidden"),
        (answered({"errors": [{"message": "no"}]}, b"401 Unauthorized"), 502, "forbidden"),
        (answered({"errors": [{"path": "take", "message": "no"}]}, b"400 Bad Request"), 502, "refused"),
        (answered("no", b"404 Not Found"), 502, "refused"),
    ],
)
@pytest.mark.parametrize("ask", [insights, personas])
async def test_every_failure_has_a_code(ask: Any, turn: Turn, status: int, code: str) -> None:
    async with faulty(turn) as backend:
        with pytest.raises(UnavailableError) as failure:
            await ask(backend, soon(0.5 if turn is HANGS else 10))
    name = "culture" if ask is insights else "text_model"
    assert (failure.value.status, failure.value.code) == (status, f"{name}_{code}")
    assert "secret" not in failure.value.detail


async def test_a_closed_port_is_unreachable() -> None:
    qloo = Qloo(closed_port(), "secret", 2, 60)
    with pytest.raises(UnavailableError, match="no connection"):
        await qloo.tags("music", soon(), Lookups())
    await qloo.close()


@pytest.mark.parametrize("header", [b"retry-after: 1", b"x-nothing: said"])
async def test_a_limit_is_waited_out_as_told(header: bytes) -> None:
    limited = answered({"errors": []}, b"429 Too Many Requests", header)
    async with faulty(limited, entities(ANGELE)) as backend:
        started = asyncio.get_running_loop().time()
        assert await insights(backend) == ["Angèle"]
        waited = asyncio.get_running_loop().time() - started
    assert len(backend.requests) == 2
    assert waited >= (0.95 if b"retry" in header else 0.2)


async def test_the_wait_that_google_names_in_the_body_is_believed() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}
    error = {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": [detail]}
    async with faulty(answered({"error": error}, b"429 Too Many Requests")) as backend:
        with pytest.raises(UnavailableError) as failure:
            await personas(backend)
    assert (failure.value.code, failure.value.retry_after_s) == ("text_model_limited", 34.0)
    assert len(backend.requests) == 1


@pytest.mark.parametrize("header", [b"retry-after: 60", b"retry-after: Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_a_limit_beyond_the_deadline_is_not_waited_for(header: bytes) -> None:
    async with faulty(answered({}, b"429 Too Many Requests", header)) as backend:
        with pytest.raises(UnavailableError) as failure:
            await insights(backend)
    assert failure.value.code == "culture_limited"
    assert (failure.value.retry_after_s or 0) > 50
    assert len(backend.requests) == 1


async def test_a_place_that_qloo_does_not_know_is_told_apart() -> None:
    errors = {"errors": [{"path": "signal.location.query", "message": "no locality"}]}
    async with faulty(answered(errors, b"400 Bad Request")) as backend:
        with pytest.raises(UnknownPlaceError):
            await insights(backend)


async def test_a_blocked_brief_is_the_callers_mistake() -> None:
    async with faulty(answered({"promptFeedback": {"blockReason": "SAFETY"}})) as backend:
        with pytest.raises(UnavailableError) as failure:
            await personas(backend)
    assert (failure.value.status, failure.value.code) == (422, "brief_blocked")


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "SAFETY", ""])
async def test_a_text_that_ends_early_is_no_answer(reason: str) -> None:
    async with faulty(written(PERSONA, reason=reason)) as backend:
        with pytest.raises(UnavailableError, match="ended with"):
            await personas(backend)


async def test_a_text_model_that_miscounts_or_misses_the_age_is_asked_once_more() -> None:
    brief = Brief.model_validate({"brief": "b", "personaCount": 1, "ageRange": {"min": 30, "max": 35}})
    old = {**PERSONA, "age": 70}
    async with faulty(written(old), written(PERSONA)) as backend:
        legacy = Legacy(Settings(gemini_api_key="k", gemini_api_url=backend.url))
        answer: Any = await legacy.answer(brief, soon().until)
        await legacy.close()
    assert [persona["age"] for persona in answer["personas"]] == [31]
    async with faulty(written(PERSONA, PERSONA), written(old)) as backend:
        legacy = Legacy(Settings(gemini_api_key="k", gemini_api_url=backend.url))
        with pytest.raises(UnavailableError, match="not between 30 and 35"):
            await legacy.answer(brief, soon().until)
        await legacy.close()


async def test_a_failure_of_one_kind_of_culture_ends_the_other_calls() -> None:
    async with faulty(ERROR) as backend:
        qloo = Qloo(backend.url, "secret", 1, 60)
        with pytest.raises(UnavailableError):
            await Guide(qloo, in_part=False).culture(Brief(brief="b", location="Paris", interests=["x"]), soon())
        await qloo.close()
    assert len(backend.requests) == 1


@pytest.mark.parametrize("in_part", [True, False])
@pytest.mark.parametrize("nothing", [entities(), answered({"errors": [{"path": "filter.location.query"}]}, b"400 No")])
async def test_a_brief_for_which_there_is_no_culture_is_not_answered(nothing: Turn, in_part: bool) -> None:
    async with faulty(answered({"results": {"tags": []}}), nothing) as backend:
        qloo = Qloo(backend.url, "secret", 4, 60)
        with pytest.raises(UnavailableError) as failure:
            await Guide(qloo, in_part).culture(Brief(brief="b", location="Paris", interests=["x"]), soon())
        await qloo.close()
    assert failure.value.code == "culture_empty"


async def test_what_interests_mean_may_be_missing_when_nobody_is_behind() -> None:
    tags = answered({"results": {"tags": [{"id": "urn:tag:music"}]}})
    async with faulty(ERROR, tags, entities(ANGELE)) as backend:
        qloo = Qloo(backend.url, "secret", 1, 60)
        brief = Brief(brief="b", location="Paris", interests=["x", "music"])
        culture = await Guide(qloo, in_part=True).culture(brief, soon())
        await qloo.close()
    assert culture.signals.unknown == ("x",)
    assert culture.missing == []


async def test_each_key_goes_to_its_own_api_only() -> None:
    async with faulty(entities(ANGELE)) as qloo, faulty(written(PERSONA)) as gemini:
        settings = Settings(
            qloo_api_key="for-qloo", qloo_api_url=qloo.url, gemini_api_key="for-gemini", gemini_api_url=gemini.url
        )
        new = New(settings)
        # Qloo answers a question about tags with entities here
        with pytest.raises(UnavailableError, match="another form"):
            await new.answer(Brief(brief="b", interests=["music"]), soon().until)
        await new.close()
        legacy = Legacy(settings)
        await legacy.answer(Brief(brief="b", persona_count=1), soon().until)
        await legacy.close()
    assert b"for-gemini" not in b"".join(qloo.requests)
    assert b"for-qloo" not in b"".join(gemini.requests)


@pytest.mark.parametrize(
    ("ages", "buckets"),
    [
        ((25, 35), "25_to_29,30_to_34,35_to_44"),
        ((13, 24), "24_and_younger"),
        ((60, 110), "55_and_older"),
        ((13, 110), "24_and_younger,25_to_29,30_to_34,35_to_44,45_to_54,55_and_older"),
    ],
)
def test_ages_become_the_buckets_they_touch(ages: tuple[int, int], buckets: str) -> None:
    assert buckets_of(*ages) == buckets
