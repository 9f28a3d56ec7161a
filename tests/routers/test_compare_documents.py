from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routers.compare.documents import judge_documents
from routers.compare.model import JsonComparison
from routers.compare.result import Difference, Kind, Result

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=5)
)
NAMES = st.sampled_from([*"abc", "id", "t"])
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4))
RULES = st.builds(
    JsonComparison,
    kind=st.just("json"),
    ignore=st.sampled_from([(), ("$..t",), ("$.a", "$[*].b")]),
    tolerances=st.sampled_from([(), ({"path": "$..*", "relative": 0.1},)]),
    unordered=st.sampled_from([(), ({"path": "$..a", "key": "id"},), ({"path": "$..*"}, {"path": "$"})]),
    additive=st.booleans(),
)
CONTROL: dict[str, Any] = {
    "items": [{"id": "x", "score": 1.0, "tags": ["p", "q"]}, {"id": "y", "score": 2.0, "tags": []}],
    "took": 12,
    "note": None,
}


def judged(control: Any, candidate: Any, **rules: Any) -> Result:
    return judge_documents(JsonComparison(kind="json", **rules), control, candidate)


def found(result: Result) -> list[tuple[str, str]]:
    return [(difference.path, difference.kind.value) for difference in result.differences]


@pytest.mark.parametrize(
    ("control", "candidate", "differences", "agreement"),
    [
        (1, 1.0, [], 1.0),
        (1, 2, [("$", "value")], 0.0),
        (1, True, [("$", "type")], 0.0),
        (1, "1", [("$", "type")], 0.0),
        (None, 0, [("$", "type")], 0.0),
        ({}, {}, [], 1.0),
        ({}, [], [("$", "type")], 0.0),
        ([], [1, 2], [("$[0]", "added"), ("$[1]", "added")], 0.0),
        ([1, 2, 3, 4], [1, 2, 3], [("$[3]", "missing")], 3 / 4),
        ([1, 2], [2, 1], [("$[0]", "value"), ("$[1]", "value")], 0.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, [], 1.0),
        ({"a": 1, "b": 2}, {"b": 2, "c": 3}, [("$.a", "missing"), ("$.c", "added")], 1 / 3),
        ({"a": None}, {}, [("$.a", "missing")], 0.0),
        ({"a": {"b": [1, 2], "c": {}}, "d": 1}, {"a": 5, "d": 1}, [("$.a", "type")], 1 / 4),
        ({"a b": [{"c.d": 1}]}, {"a b": [{"c.d": 2}]}, [('$["a b"][0]["c.d"]', "value")], 0.0),
    ],
)
def test_changes_of_type_and_value_and_what_is_missing_or_added_are_told_apart(
    control: Any, candidate: Any, differences: list[tuple[str, str]], agreement: float
) -> None:
    result = judged(control, candidate)
    assert found(result) == differences
    assert result.different == len(differences)
    assert result.agreement == pytest.approx(agreement)


def test_a_difference_shows_what_stands_on_both_sides() -> None:
    result = judged({"a": "1", "b": [2], "c": "x" * 500}, {"a": 1, "c": "y", "d": None})
    assert result.differences[:2] == (
        Difference("$.a", Kind.TYPE, '"1"', "1"),
        Difference("$.b", Kind.MISSING, "[2]", None),
    )
    assert len(result.differences[2].control or "") == 120
    assert result.differences[3] == Difference("$.d", Kind.ADDED, None, "null")


@pytest.mark.parametrize(
    ("ignore", "candidate", "differences"),
    [
        (["$.took"], CONTROL | {"took": "long"}, []),
        (["$.took"], {"items": CONTROL["items"], "note": None}, []),
        (["$.took"], CONTROL | {"took": 13, "note": 1}, [("$.note", "type")]),
        (["$.took.*"], CONTROL | {"took": 13}, [("$.took", "value")]),
        (["$.items[*].score"], CONTROL | {"items": [{"id": "x", "tags": ["p", "q"]}]}, [("$.items[1]", "missing")]),
        (["$.items[1]"], CONTROL | {"items": [CONTROL["items"][0]]}, []),
        (["$..tags", "$..score", "$..id"], CONTROL | {"items": [{}, {}]}, []),
        (["$..added"], CONTROL | {"added": 1}, []),
    ],
)
def test_what_is_ignored_is_no_difference_whatever_happens_to_it(
    ignore: list[str], candidate: Any, differences: list[tuple[str, str]]
) -> None:
    assert found(judged(CONTROL, candidate, ignore=ignore)) == differences


def test_what_is_ignored_has_no_part_in_the_agreement() -> None:
    control = {"a": 1, "b": {"c": 1, "t": [1, 2, 3]}}
    assert judged(control, {"a": 1}, ignore=["$..t"]).agreement == 1 / 2
    assert judged(control, {"a": 2, "b": {"c": 2, "t": [1, 2, 3]}}, ignore=["$..t"]).agreement == 0.0


@pytest.mark.parametrize(
    ("tolerance", "control", "candidate", "same"),
    [
        ({"absolute": 0.5}, 1.0, 1.5, True),
        ({"absolute": 0.5}, 1.0, 1.5000001, False),
        ({"absolute": 0.5}, 1, 0.5, True),
        ({"relative": 0.25}, 4, 3, True),
        ({"relative": 0.25}, 4, 2.9999, False),
        ({"relative": 0.25}, 0, 1e-300, False),
        ({"relative": 0.25, "absolute": 1}, 0, 1, True),
        ({"absolute": 1}, 2**63 - 1, 2**63 - 2, True),
        ({"absolute": 1}, True, False, False),
        ({"absolute": 1}, 1, True, False),
        ({"absolute": 1}, "1", "2", False),
    ],
)
def test_a_tolerance_reaches_as_far_as_it_says_and_only_for_numbers(
    tolerance: dict[str, float], control: Any, candidate: Any, same: bool
) -> None:
    rules = {"tolerances": [{"path": "$.n", **tolerance}]}
    assert (judged({"n": control}, {"n": candidate}, **rules).agreement == 1) is same
    assert (judged({"n": candidate}, {"n": control}, **rules).agreement == 1) is same
    assert judged({"m": 1.0}, {"m": 1.1}, **rules).agreement == 0


def test_without_a_tolerance_large_whole_numbers_are_told_apart() -> None:
    assert judged(2**53, 2**53 + 1).agreement == 0


def test_of_two_rules_for_one_place_the_first_counts() -> None:
    narrow, wide = {"path": "$.a", "absolute": 0.1}, {"path": "$..*", "absolute": 10}
    assert judged({"a": 1, "b": 1}, {"a": 2, "b": 2}, tolerances=[narrow, wide]).agreement == 1 / 2
    assert judged({"a": 1, "b": 1}, {"a": 2, "b": 2}, tolerances=[wide, narrow]).agreement == 1


def test_elements_of_an_unordered_list_are_paired_by_their_key() -> None:
    control = [{"id": 1, "n": 1}, {"id": 2, "n": 2}, {"id": 3, "n": 3}]
    candidate = [{"id": "4", "n": 4}, {"id": 3, "n": 3}, {"id": "1", "n": 9}]
    result = judged(control, candidate, unordered=[{"path": "$", "key": "id"}])
    assert found(result) == [("$[0].id", "type"), ("$[0].n", "value"), ("$[1]", "missing"), ("$[0]", "added")]
    assert result.agreement == 2 / 8


def test_elements_without_the_key_or_with_one_given_twice_are_paired_in_their_order() -> None:
    control = [{"id": 1, "n": 1}, {"n": 2}, {"id": 1, "n": 3}, 5]
    candidate = [5, {"n": 2}, {"id": 1, "n": 1}, {"id": 1, "n": 4}]
    assert found(judged(control, candidate, unordered=[{"path": "$", "key": "id"}])) == [("$[2].n", "value")]


def test_an_unordered_list_without_a_key_is_a_bag_of_values() -> None:
    result = judged({"t": ["a", "b", "b", 1.0]}, {"t": [1, "b", "a", "c"]}, unordered=[{"path": "$.t"}])
    assert found(result) == [("$.t[2]", "missing"), ("$.t[3]", "added")]
    assert result.agreement == 3 / 5


def test_fields_may_be_added_where_that_is_allowed_but_elements_may_not() -> None:
    candidate = CONTROL | {"generation": {"source": "new"}}
    assert judged(CONTROL, candidate, additive=True).agreement == 1
    assert found(judged(candidate, CONTROL, additive=True)) == [("$.generation", "missing")]
    assert found(judged([1], [1, 2], additive=True)) == [("$[1]", "added")]


def test_differences_are_counted_beyond_those_that_are_kept() -> None:
    result = judged([*range(100)], [*range(1, 101)])
    assert (result.different, len(result.differences)) == (100, 20)


@given(RULES, JSON)
def test_a_document_agrees_with_itself_whatever_the_rules(rules: JsonComparison, document: Any) -> None:
    assert judge_documents(rules, document, orjson.loads(orjson.dumps(document))) == Result(1.0)


@given(RULES, JSON, JSON)
def test_agreement_is_within_bounds_and_whole_only_without_a_difference(
    rules: JsonComparison, control: Any, candidate: Any
) -> None:
    result = judge_documents(rules, control, candidate)
    assert result.agreement is not None
    assert 0 <= result.agreement <= 1
    assert (result.agreement == 1) is (result.different == 0)
    assert len(result.differences) == min(result.different, 20)


@given(RULES.filter(lambda rules: not rules.additive), JSON, JSON)
def test_without_additive_fields_agreement_is_symmetric(rules: JsonComparison, control: Any, candidate: Any) -> None:
    there, back = judge_documents(rules, control, candidate), judge_documents(rules, candidate, control)
    assert (there.agreement, there.different) == (back.agreement, back.different)


@given(JSON, JSON)
def test_the_agreement_of_a_list_is_that_of_its_elements_together(control: Any, candidate: Any) -> None:
    alone, beside = judged(control, candidate), judged([control, 1], [candidate, 1])
    assert alone.different == beside.different
    assert beside.agreement is not None
    assert alone.agreement is not None
    assert beside.agreement >= alone.agreement
