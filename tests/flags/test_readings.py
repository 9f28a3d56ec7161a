"""Attributes read in lower case, as versions and by length."""

from itertools import pairwise
from typing import Any

import pytest
from growthbook.core import paddedVersionString
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from flags.coercion import as_version
from flags.conditions import Condition
from flags.predicates import predicate

CONDITION: TypeAdapter[Any] = TypeAdapter(Condition)

versions = st.one_of(st.from_regex(r"v?[0-9]{1,6}(\.[0-9]{1,2}){0,3}(-rc\.[0-9])?(\+b)?"), st.text())


def holds(op: str, value: Any, taken_as: str, given_value: Any) -> bool:
    document = {"attribute": "a", "op": op, "value": value, "as": taken_as}
    return predicate(CONDITION.validate_python(document), {})({"a": given_value})


@given(versions)
def test_any_text_is_a_version_with_growthbooks_order(text: str) -> None:
    assert as_version(text) == paddedVersionString(text)


def test_versions_are_compared_part_by_part() -> None:
    ordered = ["1.2.3-rc.1", "1.2.3", "1.10.0", "v2.0.0", "10.0.0"]
    for before, after in pairwise(ordered):
        assert holds("gt", before, "version", after)
        assert not holds("gte", after, "version", before)
    assert holds("eq", "1.2.3", "version", "v1.2.3+build")
    assert not holds("lt", "1.2.3", "version", 1)


def test_what_is_longer_than_any_version_is_none_and_takes_no_time() -> None:
    assert as_version("+" * 300_000 + "\n1") is None
    assert not holds("ne", "1.0.0", "version", "1" * 257)
    with pytest.raises(ValidationError, match="compares no version"):
        CONDITION.validate_python({"attribute": "a", "op": "eq", "value": "1" * 257, "as": "version"})


def test_text_is_compared_in_lower_case_alone_and_in_lists() -> None:
    assert holds("in", ["pro"], "lower", "PRO")
    assert holds("any_of", ["pro"], "lower", [1, "Pro"])
    assert not holds("any_of", ["pro"], "lower", "PRO")
    assert not holds("eq", "pro", "lower", None)


def test_lists_are_compared_by_how_many_items_they_have() -> None:
    assert holds("eq", 0, "length", [])
    assert holds("gte", 2, "length", [None, "a"])
    assert not holds("gte", 0, "length", "ab")
    assert not holds("gte", 0, "length", None)


@pytest.mark.parametrize(
    ("op", "value", "taken_as"),
    [
        ("eq", "PRO", "lower"),
        ("eq", 1, "lower"),
        ("eq", 1, "version"),
        ("in", ["1.0"], "version"),
        ("eq", "1", "length"),
    ],
)
def test_a_value_that_such_a_reading_never_equals_is_refused(op: str, value: Any, taken_as: str) -> None:
    with pytest.raises(ValidationError):
        CONDITION.validate_python({"attribute": "a", "op": op, "value": value, "as": taken_as})
