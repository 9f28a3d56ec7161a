"""What the migration's guide tests by hand and by machine, on both sides as real processes."""

from collections.abc import Iterator
from statistics import mean, quantiles
from time import perf_counter
from typing import Any

import pytest

from backends.persona.local.dataset import load
from backends.persona.personas import Persona
from tests.backends.personas import YOUNG_PARENTS, YOUNG_PROFESSIONALS, Running, local, side

pytestmark = pytest.mark.xdist_group("persona")

ENHANCED = {"timestamp", "generation", "sources", "culturalConstraints", "performance", "featureFlags"}
FIELDS = {"id", *(info.alias for info in Persona.model_fields.values())}
HOMES = {(entity.kind, entity.name): entity for entity in load().entities}
KINDS = {"music": "artist", "brands": "brand", "restaurants": "place", "films": "movie", "books": "book"}


@pytest.fixture(scope="module")
def servers() -> Iterator[Running]:
    with local() as running:
        yield running


@pytest.fixture(scope="module")
def legacy(servers: Running) -> Iterator[Running]:
    with side("legacy", servers.url) as running:
        yield running


@pytest.fixture(scope="module")
def new(servers: Running) -> Iterator[Running]:
    with side("new", servers.url) as running:
        yield running


@pytest.fixture(params=["legacy", "new"])
def either(request: pytest.FixtureRequest) -> Running:
    running: Running = request.getfixturevalue(request.param)
    return running


def named(persona: dict[str, Any]) -> set[tuple[str, str]]:
    return {(KINDS[kind], name) for kind, names in persona["culturalData"].items() for name in names}


def share_at_home(answer: dict[str, Any], city: str) -> float:
    """Return which share of what the personas name is at home in a city."""
    return mean(HOMES[each].home == city for persona in answer["personas"] for each in named(persona))


@pytest.mark.parametrize("brief", [YOUNG_PROFESSIONALS, YOUNG_PARENTS], ids=["professionals", "parents"])
def test_a_full_brief_is_answered_with_what_it_asks_for(either: Running, brief: dict[str, Any]) -> None:
    answer = either.generate(**brief)
    assert answer["success"] is True
    assert len(answer["personas"]) == brief["personaCount"]
    for persona in answer["personas"]:
        assert brief["ageRange"]["min"] <= persona["age"] <= brief["ageRange"]["max"]
        assert set(persona["interests"]) >= set(brief["interests"])
        assert set(persona["values"]) >= set(brief["values"])
        assert persona["location"] == brief["location"]


def test_personas_have_the_same_form_on_both_sides_and_legacy_answers_nothing_more(
    legacy: Running, new: Running
) -> None:
    old, enhanced = legacy.generate(**YOUNG_PARENTS), new.generate(**YOUNG_PARENTS)
    assert old.keys() == {"success", "personas"}
    assert enhanced.keys() == old.keys() | ENHANCED
    for persona in (*old["personas"], *enhanced["personas"]):
        assert persona.keys() == FIELDS
        Persona.model_validate(persona)


def test_a_brief_alone_is_enough(either: Running) -> None:
    answer = either.generate(brief="Test brief")
    assert answer["success"] is True
    assert len(answer["personas"]) == 3


def test_empty_lists_are_the_same_as_none(either: Running) -> None:
    full = {key: value for key, value in YOUNG_PROFESSIONALS.items() if key not in {"interests", "values"}}
    assert either.generate(**full, interests=[], values=[])["personas"] == either.generate(**full)["personas"]


@pytest.mark.parametrize("interests", [[], ["music"]])
def test_a_place_that_nobody_knows_is_answered_and_named_as_unknown(
    legacy: Running, new: Running, interests: list[str]
) -> None:
    brief = {"brief": "People of Qwxyz", "location": "Qwxyz-sur-Nulle", "interests": interests}
    assert len(legacy.generate(**brief)["personas"]) == 3
    answer = new.generate(**brief)
    assert {persona["location"] for persona in answer["personas"]} == {"Qwxyz-sur-Nulle"}
    assert "location" in answer["culturalConstraints"]["unknown"]


@pytest.mark.parametrize("ages", [(13, 13), (13, 110), (105, 110)])
def test_extreme_ages_are_kept_to(either: Running, ages: tuple[int, int]) -> None:
    low, high = ages
    answer = either.generate(brief="Anybody", location="Tokyo", ageRange={"min": low, "max": high}, personaCount=6)
    assert all(low <= persona["age"] <= high for persona in answer["personas"])


@pytest.mark.parametrize("ages", [(40, 30), (-5, 20), (0, 200), (12, 20)])
def test_impossible_ages_are_the_callers_mistake(either: Running, ages: tuple[int, int]) -> None:
    low, high = ages
    assert either.refuse(brief="Anybody", ageRange={"min": low, "max": high}) == (422, "invalid_brief")


@pytest.mark.parametrize("count", [5, 12, 20])
def test_many_personas_are_as_many_different_people(either: Running, count: int) -> None:
    personas = either.generate(**{**YOUNG_PARENTS, "personaCount": count})["personas"]
    assert [persona["id"] for persona in personas] == [f"persona-{number}" for number in range(1, count + 1)]
    assert len({persona["name"] for persona in personas}) == count
    assert len({persona["bio"] for persona in personas}) == count


@pytest.mark.parametrize(
    ("language", "words"), [("fr", "quartier"), ("en", "lives in"), ("es", "barrio"), ("de", "wohnt")]
)
def test_personas_are_written_in_the_language_asked_for(either: Running, language: str, words: str) -> None:
    for persona in either.generate(**{**YOUNG_PARENTS, "language": language})["personas"]:
        assert words in persona["bio"]


@pytest.mark.parametrize(
    ("brief", "city"), [(YOUNG_PROFESSIONALS, "San Francisco"), (YOUNG_PARENTS, "Paris")], ids=["sf", "paris"]
)
def test_culture_first_matches_place_and_age_better_than_the_text_model_alone(
    legacy: Running, new: Running, brief: dict[str, Any], city: str
) -> None:
    old, enhanced = legacy.generate(**brief), new.generate(**brief)
    assert share_at_home(old, city) == 0.0
    assert share_at_home(enhanced, city) >= 0.7
    for persona in enhanced["personas"]:
        for each in named(persona):
            assert HOMES[each].home in {city, None}
            assert HOMES[each].bands & set("ym")


def test_the_enhanced_answer_tells_how_it_came_about(new: Running) -> None:
    answer = new.generate(**YOUNG_PROFESSIONALS)
    assert answer["generation"]["method"] == "qloo-first"
    assert 0 < answer["generation"]["processingTime"] < 5000
    assert answer["sources"] == {"qloo": True, "gemini": True}
    assert answer["culturalConstraints"]["applied"] > 8
    assert answer["culturalConstraints"]["adherence"] == 1.0
    assert answer["culturalConstraints"]["missing"] == []
    assert answer["performance"].keys() >= {"qlooApiCalls", "cacheHitRate"}


def test_who_answered_in_the_end_is_left_to_the_router(new: Running) -> None:
    answer = new.generate(**YOUNG_PARENTS)
    assert "source" not in answer["generation"]
    assert "fallback" not in answer


def test_a_new_brief_costs_five_to_ten_calls_of_qloo(new: Running) -> None:
    for city in ("Lagos", "Mumbai", "Madrid"):
        answer = new.generate(brief="Foodies", location=city, interests=["food", "travel", "design"])
        assert 5 <= answer["performance"]["qlooApiCalls"] <= 10


def test_the_same_brief_gives_the_same_personas_and_another_gives_others(either: Running) -> None:
    first = either.generate(**YOUNG_PARENTS)["personas"]
    assert either.generate(**YOUNG_PARENTS)["personas"] == first
    others = [
        either.generate(**{**YOUNG_PARENTS, **change})["personas"]
        for change in ({"location": "Lagos"}, {"brief": "Parents qui cuisinent"}, {"interests": ["music"]})
    ]
    assert all(other != first for other in others)


def test_a_place_is_found_in_the_brief(either: Running) -> None:
    answer = either.generate(brief="Young families in Lagos who love music")
    assert all("Lagos" in persona["location"] for persona in answer["personas"])


def test_the_language_says_where_people_live_who_do_not_say_it(either: Running) -> None:
    answer = either.generate(brief="Des gens", language="de")
    assert all("Berlin" in persona["location"] for persona in answer["personas"])


def test_different_briefs_are_answered_within_the_times_of_the_migration(either: Running) -> None:
    times = []
    for number, city in enumerate(("Paris", "London", "Tokyo", "Lagos", "Berlin") * 4):
        started = perf_counter()
        either.generate(**{**YOUNG_PARENTS, "location": city, "ageRange": {"min": 20 + number, "max": 30 + number}})
        times.append(perf_counter() - started)
    assert mean(times) < 5
    assert quantiles(times, n=20)[-1] < 10
