import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.model import Route
from routers.pairs import Pair, comparison_of, is_sampled, is_sampled_twice, pair_of


def route(*backends: str, candidate: str | None = None, **more: object) -> Route:
    document = {
        "name": "rag",
        "flag": "rag-v2",
        "backends": {name: {"url": "http://x"} for name in backends},
        "shadow": {"candidate": candidate},
        **more,
    }
    return Route.model_validate(document)


def test_whoever_did_not_answer_is_the_other_side() -> None:
    two = route("legacy", "new")
    assert pair_of(two, "new") == pair_of(two, "legacy") == Pair("legacy", "new")


def test_of_several_candidates_the_first_is_measured_or_the_one_that_is_named() -> None:
    assert pair_of(route("legacy", "new", "newer"), "legacy") == Pair("legacy", "new")
    named = route("legacy", "new", "newer", candidate="newer")
    assert pair_of(named, "legacy") == Pair("legacy", "newer")
    assert pair_of(named, "new") == Pair("legacy", "new")


def test_a_route_of_one_backend_has_no_other_side() -> None:
    assert pair_of(route("legacy"), "legacy") is None


@pytest.mark.parametrize("candidate", ["legacy", "nobody"])
def test_a_candidate_must_be_another_backend_of_the_route(candidate: str) -> None:
    with pytest.raises(ValueError, match="no backend besides the fallback"):
        route("legacy", "new", candidate=candidate)


@pytest.mark.parametrize(
    ("profile", "wanted"),
    [
        ("raw", ("text", None)),
        ("persona", ("json", None)),
        ("rag", ("ranked", "$.passages[*].id")),
        ("recommendation", ("ranked", "$.items[*].id")),
    ],
)
def test_a_profile_says_what_is_compared_unless_the_route_does(profile: str, wanted: tuple[str, str | None]) -> None:
    found = comparison_of(route("legacy", "new", profile=profile))
    assert (found.kind, getattr(found, "items", None)) == wanted
    said = {"comparison": {"kind": "text"}}
    assert comparison_of(route("legacy", "new", profile=profile, shadow=said)).kind == "text"


@given(st.text(max_size=40), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_has_the_calls_of_a_smaller_one(decision_id: str, one: float, other: float) -> None:
    smaller, larger = sorted((one, other))
    for sampled in (is_sampled, is_sampled_twice):
        assert sampled("rag", decision_id, larger) >= sampled("rag", decision_id, smaller)
        assert sampled("rag", decision_id, 1)
        assert not sampled("rag", decision_id, 0)


def test_the_samples_are_as_large_as_they_say_and_independent() -> None:
    ids = [f"{number:x}" for number in range(20_000)]
    shadowed = [each for each in ids if is_sampled("rag", each, 0.1)]
    twice = [each for each in shadowed if is_sampled_twice("rag", each, 0.1)]
    assert math.isclose(len(shadowed) / len(ids), 0.1, rel_tol=0.1)
    assert math.isclose(len(twice) / len(shadowed), 0.1, rel_tol=0.3)
