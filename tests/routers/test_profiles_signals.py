"""What an answer tells of its quality: read where it stands, and nothing where it does not."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from routers.model import Profile, Route
from routers.profiles.finding import MOST_ELEMENTS
from routers.profiles.kinds import KINDS
from routers.profiles.model import SignalPaths
from routers.profiles.signals import NO_SIGNALS, Signals, signals_of

RAG = {
    "side": "new",
    "model": "m",
    "passages": [{"id": "p7", "score": 0.9, "text": "…"}, {"id": 12, "score": -0.1}],
    "timing_ms": {"embed": 1.5, "search": 0.25},
}
PERSONA = {
    "success": True,
    "personas": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
    "generation": {"source": "fallback-legacy", "processingTime": 5200, "tokens": 2100},
    "performance": {"qlooApiCalls": 8, "cacheHitRate": 0.31},
    "fallback": {"reason": "rate limited"},
    "usage": {"cost_usd": 0.0042},
}
PATHS = [kind.signals for kind in KINDS.values() if kind.signals is not None]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=True) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["personas", "passages", "items", "id", "score", "usage", "total_tokens"]),
            inner,
            max_size=4,
        )
    ),
)


def route(**fields: Any) -> Route:
    backends = {"legacy": {"url": "http://legacy:1"}}
    return Route.model_validate({"name": "r", "flag": "f", "backends": backends, **fields})


def read(profile: Profile, document: Any, **signals: str) -> Signals:
    paths = route(profile=profile, signals=signals).signal_paths
    assert paths is not None
    return signals_of(paths, document)


def test_every_profile_has_its_data() -> None:
    assert {*KINDS} == {*Profile}


def test_a_rag_answer_tells_its_passages_their_scores_and_its_time() -> None:
    signals = read(Profile.RAG, RAG)
    assert signals == Signals(2, ("p7", "12"), (0.9, -0.1), processing_ms=1.75)
    assert signals.score == 0.4


def test_a_persona_answer_tells_its_cache_tokens_cost_and_its_own_fallback() -> None:
    signals = read(Profile.PERSONA, PERSONA)
    assert signals == Signals(3, ("a", "b", "c"), (), 0.31, 2100, 0.0042, "rate limited", 5200)


def test_a_route_says_where_its_signals_stand_and_keeps_the_profiles_other_places() -> None:
    document = {"results": [{"id": 1, "s": {"x": 0.5}}], "cache": {"hit": True}, "cost": 3}
    signals = read(Profile.RECOMMENDATION, document, items="$.results[*].id", scores="$.results[*].s.x", cost="$.cost")
    assert signals == Signals(1, ("1",), (0.5,), cache_hit=1.0, cost=3)


def test_one_score_for_the_whole_answer_is_a_score_too() -> None:
    assert read(Profile.PERSONA, {"quality": 0.7}, scores="$.quality").score == 0.7


def test_without_a_profile_only_what_the_route_says_is_read() -> None:
    assert route().signal_paths is None
    assert read(Profile.RAW, {"tokens": 5}, tokens="$.tokens") == Signals(tokens=5)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"passages": []}, Signals(results=0)),
        ({"passages": [{"id": "a"}, {"score": 1}]}, Signals(results=2)),
        ({"passages": [{"id": "a", "score": True}]}, Signals(1, ("a",))),
        ({"passages": [{"id": {"a": 1}, "score": "1"}]}, Signals(results=1)),
        ({"passages": {"id": 1}}, NO_SIGNALS),
        ({"usage": {"total_tokens": -1, "cost_usd": 1e300}}, NO_SIGNALS),
        ({"cache": {"hit": 31}, "timing_ms": {"a": 1, "b": "2"}}, NO_SIGNALS),
        ({"cache": {"hit": False}, "timing_ms": {}, "fallback": {"reason": ""}}, Signals(cache_hit=0.0)),
        ({"fallback": {"reason": True}}, Signals(fallback="unnamed")),
        ([RAG], NO_SIGNALS),
        (None, NO_SIGNALS),
    ],
)
def test_what_is_no_signal_is_left_out(document: Any, expected: Signals) -> None:
    assert read(Profile.RAG, document) == expected


def test_of_many_results_all_are_counted_and_the_first_are_named() -> None:
    signals = read(Profile.RAG, {"passages": [{"id": "x" * 1000, "score": 1.0}] * 5000})
    assert (signals.results, len(signals.items), len(signals.scores)) == (5000, MOST_ELEMENTS, MOST_ELEMENTS)
    assert {len(item) for item in signals.items} == {256}


@settings(deadline=None)
@given(document=JSON, paths=st.sampled_from(PATHS))
def test_whatever_the_answer_is_there_is_a_value_of_bounded_numbers(document: Any, paths: SignalPaths) -> None:
    parsed = orjson.loads(orjson.dumps(document))
    signals = signals_of(paths, parsed)
    told = (signals.results, signals.score, signals.tokens, signals.cost, signals.processing_ms)
    assert all(abs(amount) <= 1e15 for amount in told if amount is not None)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("items", "$.id"),
        ("items", "$.a[*].b[*]"),
        ("items", "$..id"),
        ("scores", "$.a[*].b[*]"),
        ("tokens", "$.a[*]"),
        ("fallback", "$..b"),
        ("cost", "cost"),
    ],
)
def test_a_path_where_no_signal_can_stand_is_refused(field: str, path: str) -> None:
    with pytest.raises(ValidationError):
        SignalPaths.model_validate({field: path})


def test_metadata_is_added_for_personas_and_for_who_asks_for_it() -> None:
    assert [each for each in Profile if route(profile=each).adds_metadata] == [Profile.PERSONA]
    assert route(metadata=True).adds_metadata
    assert not route(profile="persona", metadata=False).adds_metadata


def test_a_raw_route_is_not_read_unless_it_asks_for_something() -> None:
    assert [each for each in Profile if not route(profile=each).is_read] == [Profile.RAW]
    assert route(metadata=True).is_read
    assert route(signals={"tokens": "$.tokens"}).is_read


def test_the_key_of_a_persona_is_in_the_header_or_else_in_the_body_and_that_is_written_out() -> None:
    assert {each: route(profile=each).key.model_dump(exclude_none=True) for each in Profile} == {
        Profile.RAW: {"header": "X-User-Id"},
        Profile.RECOMMENDATION: {"header": "X-User-Id"},
        Profile.RAG: {"header": "X-User-Id"},
        Profile.PERSONA: {"header": "X-User-Id", "json": "userId"},
    }
    own = {"header": "X-Session"}
    assert route(profile="persona", key=own).key.model_dump(exclude_none=True) == own


def test_a_document_read_is_the_document_written() -> None:
    document = route(profile="persona", signals={"tokens": "$.t"}, metadata=False)
    assert Route.model_validate_json(document.model_dump_json()) == document
