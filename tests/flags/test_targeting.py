"""Attributes inside attributes, read as another type, the time itself, and bounds of what an operator takes."""

import re
from ipaddress import ip_network
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from flags.addresses import within
from flags.conditions import Compare, Operator
from flags.evaluate import evaluate
from flags.model import Flag
from flags.patterns import MAX_STEPS, MAX_TEXT, searcher
from flags.predicates import predicate
from flags.ruleset import Ruleset
from flags.segment import Segment
from flags.semver import precedence
from tests.flags.strategies import Document, brief, comparisons, json_values, thorough

NOW = 1_700_000_000.0


def compared(attribute: str, op: str, value: Any, coercion: str | None = None) -> Document:
    """Return a comparison."""
    return {"attribute": attribute, "op": op, "value": value} | ({"as": coercion} if coercion else {})


def holds(when: Document, context: Any) -> bool:
    """Say whether a comparison holds."""
    return predicate(Compare.model_validate(when), {})(context)


def ruleset(when: Document, segments: dict[str, Document] | None = None, **fields: Any) -> Ruleset:
    """Return a flag that is on for those of whom the condition holds."""
    rule = {"name": "r", "when": when, "serve": {"variant": "on"}}
    flag = Flag.model_validate({"key": "x", "rules": [rule], "default": {"variant": "off"}} | fields)
    named = [Segment.model_validate({"name": name, "when": when}) for name, when in (segments or {}).items()]
    return Ruleset.of([flag], segments=named)


def is_on(rules: Ruleset, context: Any, now: float = NOW) -> bool:
    """Say whether a caller gets the flag."""
    return evaluate(rules, "x", context, now).variant == "on"


POINTED: list[tuple[str, Any, bool]] = [
    ("/user/plan", {"user": {"plan": "pro"}}, True),
    ("/user/plan", {"/user/plan": "pro"}, False),
    ("/a~1b", {"a/b": "pro"}, True),
    ("/m~0n", {"m~n": "pro"}, True),
    ("/~01", {"~1": "pro"}, True),
    ("/plans/1", {"plans": ["free", "pro"]}, True),
    ("/plans/01", {"plans": ["free", "pro"]}, False),
    ("/plans/-", {"plans": ["pro"]}, False),
    ("/plans/-1", {"plans": ["pro"]}, False),
    ("/plans/9", {"plans": ["pro"]}, False),
    ("/plans/1", {"plans": {"1": "pro"}}, True),
    ("/", {"": "pro"}, True),
    ("/a//b", {"a": {"": {"b": "pro"}}}, True),
    ("/user/plan/x", {"user": {"plan": "pro"}}, False),
]


@pytest.mark.parametrize(("pointer", "context", "expected"), POINTED, ids=str)
def test_a_name_that_begins_with_a_slash_leads_into_the_context(pointer: str, context: Any, expected: bool) -> None:
    assert holds(compared(pointer, "eq", "pro"), context) is expected


READ_AS: list[tuple[Any, str, str, Any, bool]] = [
    ("6", "gt", "number", 5, True),
    ("10", "gt", "number", 9, True),
    (6, "gt", "number", 5, True),
    (" 6", "gt", "number", 5, False),
    ("six", "ne", "number", 5, False),
    ("Infinity", "gt", "number", 5, False),
    ("1e999", "gt", "number", 5, False),
    (float("inf"), "gt", "number", 5, False),
    ("1.0", "in", "number", [1], True),
    (True, "eq", "number", 1, False),
    ("9007199254740993", "eq", "number", 9007199254740992, False),
    ("9" * 5000, "gt", "number", 1, False),
    ("1700000000", "after", "number", "2023-11-14", True),
    (1, "eq", "string", "1", True),
    (1.0, "eq", "string", "1", True),
    (0.5, "eq", "string", "0.5", True),
    (True, "eq", "string", "true", True),
    (12, "starts_with", "string", "1", True),
    (12, "matches", "string", "^12$", True),
    (2, "semver_gt", "string", "1.9", True),
    (["1"], "contains", "string", "1", False),
    (None, "ne", "string", "1", False),
    ({}, "ne", "string", "1", False),
    (10**400, "ne", "string", "1", False),
]


@pytest.mark.parametrize(("attribute", "op", "coercion", "value", "expected"), READ_AS, ids=str)
def test_an_attribute_is_read_as_is_said(attribute: Any, op: str, coercion: str, value: Any, expected: bool) -> None:
    assert holds(compared("a", op, value, coercion), {"a": attribute}) is expected
    assert holds(compared("/b/0", op, value, coercion), {"b": [attribute]}) is expected


def test_a_stored_comparison_without_a_coercion_reads_as_before() -> None:
    assert Compare.model_validate(compared("a", "eq", 1)).model_dump() == compared("a", "eq", 1)
    assert Compare.model_validate(compared("a", "eq", 1, "number")).model_dump() == compared("a", "eq", 1, "number")


TIMED: list[tuple[str, Any]] = [
    ("gt", NOW - 1),
    ("lte", NOW),
    ("after", "2023-11-14T22:13:19Z"),
    ("before", "2023-11-14T22:13:21Z"),
]


@pytest.mark.parametrize(("op", "value"), TIMED, ids=str)
def test_now_is_the_time_of_the_evaluation_and_no_callers_word_is_taken_for_it(op: str, value: Any) -> None:
    when = compared("$now", op, value)
    opposite = {"not": when}
    for context in ({}, {"$now": 0}, {"$now": 1e12}, {"$now": "never"}):
        assert is_on(ruleset(when), context)
        assert not is_on(ruleset(opposite), context)
        assert is_on(ruleset({"segment": "outer"}, {"inner": when, "outer": {"all": [{"segment": "inner"}]}}), context)


def test_an_attribute_that_only_looks_like_the_time_is_the_callers() -> None:
    assert is_on(ruleset({"bucket": {"by": ["a/$now"], "salt": "x", "to": 100_000}}), {"a/$now": "u1"})


def test_a_rule_without_the_time_sees_the_context_itself() -> None:
    seen: list[Any] = []

    class Watched(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            seen.append(self)
            return super().get(name, default)

    context = Watched(a=1)
    assert holds(compared("a", "eq", 1), context)
    assert seen[0] is context


@pytest.mark.parametrize("field", ["bucket_by", "by"])
def test_callers_can_be_hashed_by_what_a_pointer_leads_to(field: str) -> None:
    split = {"split": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]}
    if field == "by":
        bucket = {"bucket": {"by": ["/user/id"], "salt": "x", "from": 0, "to": 50_000}}
        pointed = ruleset(bucket)
    else:
        pointed = ruleset(compared("a", "eq", 1), bucket_by="/user/id", default=split)
    plain = ruleset(compared("a", "eq", 1), default=split)
    for number in range(100):
        key = f"user-{number}"
        assert is_on(pointed, {"user": {"id": key}}) is is_on(plain, {"targetingKey": key})


def test_targets_are_named_by_what_a_pointer_leads_to() -> None:
    named = ruleset(compared("a", "eq", 1), bucket_by="/user/id", targets=[{"variant": "on", "keys": ["u1", "7"]}])
    assert [is_on(named, {"user": {"id": key}}) for key in ("u1", 7, "u2")] == [True, True, False]


@pytest.mark.parametrize(
    "fields",
    [
        {"bucket_by": "$now"},
        {"bucket_by": "/$now"},
        {"bucket_by": "/a~2"},
        {"rules": [{"name": "r", "when": compared("/a~", "eq", 1), "serve": {"variant": "on"}}]},
        *(
            {"rules": [{"name": "r", "when": when, "serve": {"variant": "on"}}]}
            for when in (
                compared("$now", "eq", 1),
                compared("/$now", "gt", 1),
                compared("/$now/0", "exists", True),
                compared("$now", "gt", "2027-01-31"),
                compared("$now", "gt", 1, "number"),
                compared("a", "gt", "1", "number"),
                compared("a", "eq", 1, "string"),
                compared("a", "in", [1, "1"], "number"),
                compared("a", "exists", True, "string"),
                compared("a", "any_of", ["1"], "string"),
                compared("a", "in_cidr", "10.0.0.0/8", "string"),
                compared("a", "eq", 1, "boolean"),
            )
        ),
    ],
    ids=str,
)
def test_nonsense_is_refused(fields: Document) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Flag.model_validate({"key": "x"} | fields)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "unclosed group"),
        ("(?=a)", "look-around"),
        (r"(a)\1", "backreferences"),
        ("a" * 513, "512 characters"),
        (r"\w{600}", "exceeds size limit"),
        ("a{1001}", "1000 steps"),
        ("(a{40}|b){40}", "1000 steps"),
        ("((a{11}){11}){11}", "1000 steps"),
        ("a{11}{11}{11}", "1000 steps"),
        (r"(\p{Greek}{5}[\]]{30}[[a]{2}]){40}", "1000 steps"),
        ("(?x)a {1001}", "verbose"),
    ],
)
def test_a_pattern_that_cannot_be_searched_for_is_refused_in_words(pattern: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        searcher(pattern)


@pytest.mark.parametrize(
    "pattern", ["[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"\{1001}", "[{1001}]", "[]{9999}]", "(?i)x{2,}"]
)
def test_an_ordinary_pattern_with_counts_is_no_large_one(pattern: str) -> None:
    assert searcher(pattern)("") is False


def test_no_pattern_is_catastrophic() -> None:
    texts = ["a" * (MAX_TEXT - 1), "ab" * (MAX_TEXT // 2 - 1)]
    for pattern in ("^(a+)+$", "^(a|a)*$", "(.*)*x", f"[ab]*a[ab]{{{MAX_STEPS // 2}}}c", "(a?){300}a{300}c"):
        found = searcher(pattern)
        started = perf_counter()
        assert not any(found(f"{text}d") for text in texts)
        assert perf_counter() - started < 2.0, "it takes about 20 ms; a backtracking engine would take years"


simple_patterns = st.lists(st.sampled_from(("a", "b", ".", "[ab]", "[^a]", "a*", "b+", "(ab)?", "a|b")), max_size=5)


@given(
    simple_patterns.map("".join), st.text("abc", max_size=8), st.sampled_from(("", "^")), st.sampled_from(("", r"\z"))
)
@thorough
def test_simple_patterns_find_what_pythons_find(pattern: str, text: str, start: str, end: str) -> None:
    ours = searcher(f"{start}(?:{pattern}){end}")(text)
    assert ours is (re.search(f"{start}(?:{pattern}){'$' if end else ''}", text) is not None)


identifiers = st.lists(st.sampled_from(("0", "1", "2", "10", "a", "b", "A", "-", "0a", "rc")), max_size=3).map(".".join)
versions = st.builds(
    lambda numbers, pre, build: ".".join(map(str, numbers)) + f"-{pre}" * bool(pre) + f"+{build}" * bool(build),
    st.lists(st.integers(0, 12), min_size=3, max_size=3),
    identifiers,
    identifiers,
)


@given(versions, versions)
@thorough
def test_versions_are_ordered_as_semver_orders_them(left: str, right: str) -> None:
    ours, others = (precedence(left), precedence(right)), (Version.parse(left), Version.parse(right))
    assert ours[0] is not None
    assert ours[1] is not None
    assert (ours[0] < ours[1], ours[0] == ours[1]) == (others[0] < others[1], others[0] == others[1])


@given(st.ip_addresses(), st.integers(0, 128))
@thorough
def test_an_address_is_in_every_network_around_it(address: Any, prefix: int) -> None:
    around = ip_network((address, min(prefix, address.max_prefixlen)), strict=False)
    mapped = getattr(address, "ipv4_mapped", None)
    assert within([str(around)])(str(address)) is (mapped is None or prefix >= 96)


@given(comparisons, json_values, st.sampled_from(("targetingKey", "plan", "age", "tenant")))
@thorough
def test_no_comparison_raises_on_any_context(when: Document, value: Any, name: str) -> None:
    matches = predicate(Compare.model_validate(when), {})
    for context in ({name: value}, {name: [value]}, {name: {"a/b": value, "m~n": [value, value]}}):
        assert matches(context) in {True, False}


@given(st.sampled_from([op for op in Operator if op is not Operator.EXISTS]), json_values)
@brief
def test_no_value_breaks_a_document_but_by_a_refusal(op: str, value: Any) -> None:
    try:
        when = Compare.model_validate(compared("a", op, value))
    except ValueError:
        return
    assert predicate(when, {})({"a": value}) in {True, False}
