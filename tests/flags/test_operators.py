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
OPERANDS: dict[str, Any] = {
    **{op: [1, "a", True] for op in ("in", "not_in", "any_of", "all_of")},
    **dict.fromkeys([op for op in Operator if op.startswith("semver_")], "1.0.0"),
    **dict.fromkeys(("before", "after"), "2027-01-31"),
    "exists": True,
    "in_cidr": "10.0.0.0/8",
}

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
    # regular expressions: searched, by case, in strings alone of at most 4,096 characters
    ("a pro", "matches", "pro", True),
    ("a pro", "matches", "^pro", False),
    ("PRO", "matches", "pro", False),
    ("PRO", "matches", "(?i)pro", True),
    ("pro\n", "matches", "^pro$", False),
    ("\u00e9", "matches", r"^\w$", True),
    ("a\nb", "matches", "a.b", False),
    ("a" * 4096, "matches", "a$", True),
    ("a" * 4097, "matches", "a", False),
    ("\ud800", "matches", "", False),
    (12, "matches", "1", False),
    (["pro"], "matches", "pro", False),
    # versions: semver.org's order; a leading v and missing parts are passed over
    ("1.10.0", "semver_gt", "1.9.0", True),
    ("1.0.0-rc.1", "semver_lt", "1.0.0", True),
    ("1.0.0-rc.2", "semver_lt", "1.0.0-rc.10", True),
    ("1.0.0-1", "semver_lt", "1.0.0-a", True),
    ("1.0.0-a", "semver_lt", "1.0.0-a.1", True),
    ("1.0.0+7", "semver_eq", "1.0.0+8", True),
    ("v1.2", "semver_eq", "1.2.0", True),
    ("1-beta", "semver_eq", "1.0.0-beta", True),
    ("1.2.0", "semver_gte", "1.2", True),
    ("1.2.1", "semver_lte", "1.2", False),
    ("01.2.0", "semver_gte", "0.0.0", False),
    ("1.2.0.0", "semver_gte", "0.0.0", False),
    ("1.0.0-", "semver_lte", "1.0.0", False),
    ("1.0.0\n", "semver_eq", "1.0.0", False),
    ("9" * 5000, "semver_gt", "1.0.0", False),
    (1, "semver_eq", "1.0.0", False),
    # times: RFC 3339, a date alone is its midnight in UTC, a number is seconds since 1970, no zone is no time
    ("2027-01-31T08:00:00Z", "before", "2027-01-31T08:00:01Z", True),
    ("2027-01-31T08:00:00+01:00", "before", "2027-01-31T08:00:00Z", True),
    ("2027-01-31t08:00:00.25z", "after", "2027-01-31 08:00:00Z", True),
    ("2027-01-31", "after", "2027-01-30T23:59:59.999Z", True),
    ("2027-01-31", "before", "2027-01-31", False),
    (1_700_000_000, "before", "2023-11-14T22:13:20Z", False),
    (1_699_999_999.5, "before", "2023-11-14T22:13:20Z", True),
    ("2027-01-31T08:00:00", "after", "2000-01-01", False),
    ("2027-02-30", "after", "2000-01-01", False),
    ("2027-W01-1", "after", "2000-01-01", False),
    ("9999-12-31T23:59:59-23:59", "after", "2000-01-01", True),
    ("0001-01-01T00:00:00+23:59", "before", "2000-01-01", True),
    ("1700000000", "after", 0, False),
    (True, "after", 0, False),
    (NAN, "after", 0, False),
    (10**400, "after", 0, True),
    # networks: an IPv4-mapped IPv6 address is the IPv4 address
    ("10.1.2.3", "in_cidr", "10.0.0.0/8", True),
    ("11.1.2.3", "in_cidr", "10.0.0.0/8", False),
    ("11.1.2.3", "in_cidr", ["10.0.0.0/8", "11.1.2.3"], True),
    ("::ffff:10.1.2.3", "in_cidr", "10.0.0.0/8", True),
    ("10.1.2.3", "in_cidr", "::ffff:10.0.0.0/104", True),
    ("10.1.2.3", "in_cidr", "::/0", False),
    ("2001:db8::7", "in_cidr", "2001:db8::/32", True),
    ("fe80::1%eth0", "in_cidr", "fe80::/10", False),
    ("10.1.2.3:80", "in_cidr", "10.0.0.0/8", False),
    ("010.1.2.3", "in_cidr", "0.0.0.0/0", False),
    (167772161, "in_cidr", "10.0.0.0/8", False),
    # lists: what is in both, and whether all that is wanted is there, compared as `in` compares
    (["a", 2], "any_of", ["x", 2.0], True),
    ([True], "any_of", [1], False),
    ([], "any_of", [1], False),
    ("a", "any_of", ["a"], False),
    ([["a"], {}, None, NAN], "any_of", ["a"], False),
    (["a", 1.0, "z"], "all_of", [1, "a"], True),
    (["a", True], "all_of", [1, "a"], False),
    (["a"], "all_of", ["a", "b"], False),
    ([], "all_of", ["a"], False),
    ([{}, "a"], "all_of", ["a"], True),
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
