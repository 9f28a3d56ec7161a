"""Every operator against every kind of value; the rows are (attribute, operator, value, holds)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.conditions import Condition, Operator
from flags.model import Rule
from flags.predicates import predicate
from tests.flags.naive import holds
from tests.flags.strategies import conditions, thorough
from tests.flags.strategies import contexts as caller_contexts

NAN = float("nan")
MISSING = object()
OPERANDS: dict[str, Any] = {"in": [1, "a", True], "not_in": [1, "a", True], "exists": True, "contains": "a"}

ROWS: list[tuple[Any, str, Any, bool]] = [
    # equality: by type and value; 1 and 1.0 are the same number, true is no number
    ("pro", "eq", "pro", True),
    ("pro", "eq", "Pro", False),
    ("e\u0301", "eq", "\u00e9", False),
    ("", "eq", "", True),
    ("1", "eq", 1, False),
    (1, "eq", "1", False),
    (1, "eq", 1.0, True),
    (1.0, "eq", 1, True),
    (1, "eq", True, False),
    (True, "eq", 1, False),
    (1.0, "eq", True, False),
    (True, "eq", True, True),
    (False, "eq", 0, False),
    (0, "eq", False, False),
    (-0.0, "eq", 0, True),
    (2**53 + 1, "eq", float(2**53), False),
    (NAN, "eq", 1, False),
    (["pro"], "eq", "pro", False),
    ({"a": 1}, "eq", "a", False),
    ("\ud800", "eq", "\N{ROCKET}", False),
    ("free", "ne", "pro", True),
    ("pro", "ne", "pro", False),
    (1, "ne", "1", True),
    (True, "ne", 1, True),
    (1, "ne", 1.0, False),
    (NAN, "ne", 1, True),
    (["pro"], "ne", "pro", True),
    # membership
    ("b", "in", ["a", "b"], True),
    ("c", "in", ["a", "b"], False),
    (1, "in", [1.0, "x"], True),
    (1.0, "in", [1], True),
    (True, "in", [1, "true"], False),
    (1, "in", [True], False),
    (False, "in", [0], False),
    (False, "in", [0, False], True),
    ("1", "in", [1], False),
    (["a"], "in", ["a"], False),
    ({}, "in", ["a"], False),
    (10**400, "in", [1], False),
    (NAN, "in", [1], False),
    ("c", "not_in", ["a", "b"], True),
    ("b", "not_in", ["a", "b"], False),
    (True, "not_in", [1], True),
    (1.0, "not_in", [1], False),
    (["a"], "not_in", ["a"], True),
    # order: numbers among numbers, strings among strings by code point
    (2, "gt", 1, True),
    (1, "gt", 1, False),
    (0.8000001, "gt", 0.8, True),
    (True, "gt", 0, False),
    ("2", "gt", 1, False),
    (2, "gt", "1", False),
    ("b", "gt", "a", True),
    ("a", "gt", "Z", True),
    ("10", "gt", "9", False),
    ("\N{ROCKET}", "gt", "\uffff", True),
    (10**400, "gt", 1e308, True),
    (NAN, "gt", 0, False),
    (float("inf"), "gt", 1e308, True),
    ([2], "gt", 1, False),
    (1, "gte", 1.0, True),
    (0.99, "gte", 1, False),
    (True, "gte", 1, False),
    ("a", "gte", "a", True),
    (NAN, "gte", 0, False),
    (0, "lt", 1, True),
    (1, "lt", 1, False),
    (False, "lt", 1, False),
    (-(10**400), "lt", -1e308, True),
    (NAN, "lt", 0, False),
    ("a", "lt", "b", True),
    (1, "lte", 1.0, True),
    (1.01, "lte", 1, False),
    ("b", "lte", "a", False),
    (NAN, "lte", 0, False),
    # part of a text, or one of a list
    ("user@example.com", "contains", "@example", True),
    ("user@Example.com", "contains", "@example", False),
    ("anything", "contains", "", True),
    ("12", "contains", 1, False),
    (["beta", "pro"], "contains", "pro", True),
    (["professional"], "contains", "pro", False),
    ([], "contains", "pro", False),
    ([1.0], "contains", 1, True),
    ([True], "contains", 1, False),
    ([1], "contains", True, False),
    ([True], "contains", True, True),
    ([["pro"]], "contains", "pro", False),
    ([None, NAN, {}], "contains", "pro", False),
    ({"pro": 1}, "contains", "pro", False),
    (12, "contains", "1", False),
    ("professional", "starts_with", "pro", True),
    ("a pro", "starts_with", "pro", False),
    ("pro", "starts_with", "", True),
    (["pro"], "starts_with", "pro", False),
    (12, "starts_with", "1", False),
    ("user@example.com", "ends_with", ".com", True),
    ("user@example.org", "ends_with", ".com", False),
    ("\N{ROCKET}\u0301", "ends_with", "\u0301", True),
    (12, "ends_with", "2", False),
    # presence: null is absence, everything else is there
    ("", "exists", True, True),
    (0, "exists", True, True),
    (False, "exists", True, True),
    ([], "exists", True, True),
    (NAN, "exists", True, True),
    ("", "exists", False, False),
    (None, "exists", True, False),
    (None, "exists", False, True),
    (MISSING, "exists", True, False),
    (MISSING, "exists", False, True),
]


def _named(value: Any) -> str:
    return "missing" if value is MISSING else repr(value)


def compiled(when: dict[str, Any]) -> Condition:
    """Read a condition the way a flag document has it."""
    return Rule.model_validate({"name": "r", "when": when, "serve": {"variant": "on"}}).when


@pytest.mark.parametrize(("attribute", "op", "value", "expected"), ROWS, ids=_named)
def test_an_operator_compares_by_type_and_value(attribute: Any, op: str, value: Any, expected: bool) -> None:
    context = {} if attribute is MISSING else {"a": attribute}
    assert predicate(compiled({"attribute": "a", "op": op, "value": value}), {})(context) is expected


def test_the_rows_name_every_operator() -> None:
    assert {row[1] for row in ROWS} == set(Operator)


@pytest.mark.parametrize("context", [{}, {"a": None}, {"A": "a"}], ids=str)
@pytest.mark.parametrize("op", [op for op in Operator if op is not Operator.EXISTS])
def test_a_missing_or_null_attribute_satisfies_no_operator_but_its_negation(op: str, context: dict[str, Any]) -> None:
    comparison = {"attribute": "a", "op": op, "value": OPERANDS.get(op, "a")}
    assert predicate(compiled(comparison), {})(context) is False
    assert predicate(compiled({"not": comparison}), {})(context) is True


def test_exists_asks_for_presence_when_it_has_no_value() -> None:
    assert predicate(compiled({"attribute": "a", "op": "exists"}), {})({"a": 0}) is True


@pytest.mark.parametrize(
    ("word", "truths", "expected"),
    [
        ("all", [True, True], True),
        ("all", [True, False], False),
        ("all", [False], False),
        ("any", [False, True], True),
        ("any", [False, False], False),
        ("any", [True], True),
    ],
)
def test_all_and_any_mean_what_they_say(word: str, truths: list[bool], expected: bool) -> None:
    each = [{"attribute": "a", "op": "exists", "value": truth} for truth in truths]
    assert predicate(compiled({word: each}), {})({"a": 1}) is expected


@given(conditions(), st.lists(caller_contexts, min_size=1, max_size=3))
@thorough
def test_a_compiled_condition_agrees_with_the_naive_one(when: dict[str, Any], contexts: list[dict[str, Any]]) -> None:
    matches = predicate(compiled(when), {})
    for context in contexts:
        assert matches(context) is holds(when, context)
