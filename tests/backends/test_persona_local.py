"""The local servers: the wire formats they speak, the faults they have when told, and the data set behind them."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.persona.brief import AgeRange, Brief
from backends.persona.local.dataset import KINDS, bands_between, load
from backends.persona.local.reading import read
from backends.persona.local.writer import Writer
from backends.persona.prompt import prompt
from tests.backends.personas import Running, local

pytestmark = pytest.mark.xdist_group("persona")

KEY = {"X-Api-Key": "any"}
GENERATE = "/v1beta/models/gemini-2.0-flash:generateContent"


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    with local() as running:
        yield running


@pytest.fixture
def servers(shared: Running) -> Iterator[Running]:
    yield shared
    shared.misbehave()


def insights(servers: Running, kind: str = "artist", **asked: str) -> httpx.Response:
    named = {name.replace("__", "."): value for name, value in asked.items()}
    return servers.client.get("/v2/insights", params={"filter.type": f"urn:entity:{kind}", **named}, headers=KEY)


def generate(servers: Running, text: str, **form: Any) -> httpx.Response:
    config = {"responseMimeType": "application/json", **form}
    body = {"contents": [{"role": "user", "parts": [{"text": text}]}], "generationConfig": config}
    return servers.client.post(GENERATE, json=body, headers={"x-goog-api-key": "any"})


@pytest.mark.parametrize(("kind", "place"), list(product(KINDS, [place.name for place in load().places])))
def test_every_place_has_something_of_every_kind_for_every_age(kind: str, place: str) -> None:
    there = [entity for entity in load().entities if entity.kind == kind and entity.home == place]
    assert len(there) >= 7
    assert all(sum(band in entity.bands for entity in there) >= 2 for band in "ymo")
    assert len({entity.name for entity in there}) == len(there)


def test_every_topic_of_the_data_set_has_words_and_a_name_in_every_language() -> None:
    dataset = load()
    topics = {topic for entity in dataset.entities for topic in entity.topics}
    assert topics <= dataset.words.keys()
    for language in dataset.phrases.values():
        assert topics <= language["topics"].keys()


def test_all_languages_have_the_same_phrases() -> None:
    english, *others = load().phrases.values()
    for other in others:
        assert other.keys() == english.keys()
        for part in ("topics", "values", "occupations", "life"):
            assert other[part].keys() == english[part].keys()


@pytest.mark.parametrize(
    ("text", "city"),
    [
        ("San Francisco, CA", "San Francisco"),
        ("são paulo", "São Paulo"),
        ("Sao Paulo, Brasil", "São Paulo"),
        ("somewhere in the UK", "London"),
        ("Bordeaux, France", "Paris"),
        ("PARIS", "Paris"),
        ("Parisian nights", None),
        ("Nowhere", None),
    ],
)
def test_a_place_is_found_by_its_names_as_whole_words(text: str, city: str | None) -> None:
    place = load().place_in(text)
    assert (place.name if place else None) == city


def test_an_insight_has_the_documented_form_and_the_best_first(servers: Running) -> None:
    asked = {"signal__location__query": "Paris", "signal__interests__tags": "urn:tag:interest:qloo:music"}
    answer = insights(servers, **asked, take="3").json()
    found = answer["results"]["entities"]
    assert answer["success"] is True
    assert [entity["type"] for entity in found] == ["urn:entity"] * 3
    assert found[0].keys() >= {"name", "entity_id", "type", "subtype", "popularity", "properties", "query"}
    affinities = [entity["query"]["affinity"] for entity in found]
    assert affinities == sorted(affinities, reverse=True)
    assert all(0 <= affinity <= 1 for affinity in affinities)


def test_an_entity_found_by_name_is_a_signal_too(servers: Running) -> None:
    found = servers.client.get("/search", params={"query": "Gymshark"}, headers=KEY).json()["results"]
    assert found[0]["types"] == ["urn:entity:brand"]
    liked = insights(servers, signal__interests__entities=found[0]["entity_id"], take="5").json()["results"]["entities"]
    assert all({"fitness", "fashion", "sport"} & {tag["name"] for tag in entity["tags"]} for entity in liked)


@pytest.mark.parametrize(
    ("asked", "status", "path"),
    [
        ({}, 400, "signal"),
        ({"signal__demographics__age": "25_to_29"}, 400, "signal"),
        ({"signal__location__query": "Nowhere"}, 400, "signal.location.query"),
        ({"filter__location__query": "Nowhere"}, 400, "filter.location.query"),
        ({"signal__location__query": "Paris", "signal__demographics__age": "old"}, 400, "signal.demographics.age"),
        ({"signal__location__query": "Paris", "take": "many"}, 400, "take"),
    ],
)
def test_what_qloo_cannot_answer_is_refused_in_its_form(
    servers: Running, asked: dict[str, str], status: int, path: str
) -> None:
    answer = insights(servers, **asked)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["path"] == path


def test_both_want_a_key(servers: Running) -> None:
    assert servers.client.get("/v2/insights").status_code == 401
    assert servers.client.post(GENERATE, json={}).json()["error"]["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("text", ["", "Write a poem.", "Brief: x", "Personas: 1 to 2 of 2"])
def test_a_prompt_that_asks_for_no_personas_is_an_invalid_argument(servers: Running, text: str) -> None:
    assert generate(servers, text).json()["error"]["status"] == "INVALID_ARGUMENT"


def test_plain_text_and_bodies_of_another_form_are_invalid_arguments(servers: Running) -> None:
    assert generate(servers, "Brief: x", responseMimeType="text/plain").status_code == 400
    headers = {"x-goog-api-key": "any"}
    assert servers.client.post(GENERATE, json={"contents": []}, headers=headers).status_code == 400


def test_a_text_has_the_documented_form(servers: Running) -> None:
    answer = generate(servers, prompt(Brief(brief="Cooks"), range(1, 3), None, None)).json()
    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert len(json.loads(answer["candidates"][0]["content"]["parts"][0]["text"])) == 2
    usage = answer["usageMetadata"]
    assert usage["promptTokenCount"] + usage["candidatesTokenCount"] == usage["totalTokenCount"] > 0
    assert answer["modelVersion"] == "gemini-2.0-flash"


def test_calls_above_the_limit_are_told_when_to_come_back_in_the_form_of_each(servers: Running) -> None:
    servers.misbehave(qloo={"rate_limit": 0}, gemini={"rate_limit": 0})
    culture, text = insights(servers), generate(servers, "x")
    assert (culture.status_code, culture.headers["retry-after"]) == (429, "1")
    assert culture.json()["errors"][0]["message"]
    assert text.json()["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_faults_begin_and_end_while_it_runs(servers: Running) -> None:
    servers.misbehave(qloo={"fault": "garbage"}, gemini={"fault": "error"})
    with pytest.raises(json.JSONDecodeError):
        insights(servers).json()
    assert generate(servers, "x").status_code == 500
    assert servers.client.get("/_fault").json()["qloo"]["fault"] == "garbage"
    servers.misbehave()
    assert insights(servers, signal__location__query="Paris").status_code == 200


def test_a_fault_may_happen_now_and_then(servers: Running) -> None:
    servers.misbehave(qloo={"fault": "error:0.3"})
    found = [insights(servers, signal__location__query="Paris").status_code for _ in range(100)]
    assert 15 <= found.count(500) <= 45


@pytest.mark.parametrize(
    "told",
    [{"qloo": {"fault": "sleep"}}, {"qloo": {"fault": "error:2"}}, {"redis": {}}, {"gemini": {"latency_ms": -1}}],
)
def test_an_unknown_fault_is_refused(servers: Running, told: dict[str, Any]) -> None:
    assert servers.client.post("/_fault", json=told).status_code == 422


def test_faults_may_be_told_at_the_start() -> None:
    with local("--latency-ms", "30", "--rate-limit", "7", "--fault", "error:0.1") as running:
        told = {"latency_ms": 30.0, "rate_limit": 7, "fault": "error:0.1"}
        assert running.client.get("/_fault").json() == {"qloo": told, "gemini": told}


def in_order(ages: tuple[int, int]) -> AgeRange:
    return AgeRange(min=min(ages), max=max(ages))


BRIEFS = st.builds(
    Brief,
    brief=st.text(min_size=1).filter(lambda text: text.strip()),
    age_range=st.none() | st.tuples(st.integers(13, 110), st.integers(13, 110)).map(in_order),
    location=st.none() | st.sampled_from(["Lagos", "Tokyo, Japan", "Nowhere"]),
    language=st.sampled_from(["en", "fr", "es", "de", "xx"]),
    persona_count=st.integers(1, 20),
    interests=st.lists(st.sampled_from(["music", "fitness", "chess", "{name}"]), max_size=3, unique=True),
    values=st.lists(st.sampled_from(["security", "work-life-balance", "kindness", "{0}"]), max_size=3, unique=True),
)


@settings(max_examples=40, deadline=None)
@given(BRIEFS, st.integers(1, 20), st.text(max_size=3))
def test_any_brief_is_written_to_its_letter_in_any_batches(brief: Brief, batch: int, seed: str) -> None:
    writer, count = Writer(load(), seed), brief.persona_count

    def written(numbers: range) -> list[dict[str, Any]]:
        return writer.write(read(prompt(brief, numbers, None, brief.location), load()))

    whole = written(range(1, count + 1))
    parts = [range(first, min(first + batch, count + 1)) for first in range(1, count + 1, batch)]
    assert [persona for part in parts for persona in written(part)] == whole
    for persona in whole:
        assert persona["bio"]
        assert set(persona["interests"]) >= set(brief.interests)
        assert set(persona["values"]) >= set(brief.values)
        if brief.age_range:
            assert brief.age_range.min <= persona["age"] <= brief.age_range.max
    assert len({persona["name"] for persona in whole}) == count


@given(st.integers(0, 130), st.integers(0, 130))
def test_the_bands_of_a_range_are_those_of_its_years(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert bands_between(low, high) == {band for age in range(low, high + 1) for band in bands_between(age, age)}


def test_another_seed_is_another_model() -> None:
    asked = read(prompt(Brief(brief="Cooks"), range(1, 4), None, None), load())
    assert Writer(load(), "a").write(asked) != Writer(load(), "b").write(asked)
