"""What the answers of a profile are compared by."""

import pytest

from routers.compare.model import JsonComparison, RankedComparison, TextComparison
from routers.model import Profile
from routers.profiles.comparison import default_comparison
from routers.profiles.model import SignalPaths


@pytest.mark.parametrize(
    ("profile", "kind"),
    [
        (Profile.RAW, TextComparison),
        (Profile.RECOMMENDATION, RankedComparison),
        (Profile.RAG, RankedComparison),
        (Profile.PERSONA, JsonComparison),
    ],
)
def test_every_profile_has_a_comparison(profile: Profile, kind: type) -> None:
    assert isinstance(default_comparison(profile), kind)


def test_passages_are_compared_as_a_ranking_of_their_ids_with_their_scores() -> None:
    comparison = default_comparison(Profile.RAG)
    assert comparison.model_dump(include={"items", "scores"}) == {
        "items": "$.passages[*].id",
        "scores": "$.passages[*].score",
    }


@pytest.mark.parametrize(
    ("scores", "taken"), [("$.hits[*].s", "$.hits[*].s"), ("$.quality", None), ("$.others[*].s", None), (None, None)]
)
def test_a_route_that_says_where_its_items_are_has_them_compared_there(scores: str | None, taken: str | None) -> None:
    own = SignalPaths(items="$.hits[*].key", scores=scores)
    comparison = default_comparison(Profile.RECOMMENDATION, own)
    assert comparison.model_dump(include={"items", "scores"}) == {"items": "$.hits[*].key", "scores": taken}


def test_of_personas_ids_times_and_what_crossfade_adds_are_not_compared() -> None:
    comparison = default_comparison(Profile.PERSONA)
    assert isinstance(comparison, JsonComparison)
    assert comparison.additive
    assert {"$.timestamp", "$.generation", "$.fallback", "$.featureFlags", "$..id"} <= {*comparison.ignore}
