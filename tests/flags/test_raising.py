from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.algorithms import ALGORITHMS
from flags.bucketing import BUCKETS
from flags.evaluate import evaluate
from flags.model import Flag
from flags.percentage import growing_variant, rolled_out, weight_of_variant
from flags.raising import raises
from flags.ruleset import Ruleset
from tests.flags.strategies import VARIANT_SETS, documents, serves, thorough

VARIANTS = VARIANT_SETS[-1]
NOW = 1_800_000_000.0
USERS: tuple[dict[str, Any], ...] = tuple({"targetingKey": key} for key in ("", [], *map(str, range(300))))


@st.composite
def changes(draw: st.DrawFn) -> tuple[Flag, Flag]:
    """Make a flag without rules, and what it is after its default or off variant or both changed."""
    document = draw(documents("x", VARIANTS)) | {"targets": [], "rules": [], "prerequisites": [], "enabled": True}
    document["bucketing"] = draw(st.sampled_from(sorted(ALGORITHMS)))
    before = Flag.model_validate(document)
    after = Flag.model_validate(document | {"default": draw(serves(VARIANTS))})
    if after.default.split is not None and draw(st.booleans()):
        after = after.model_copy(update={"default": after.default.model_copy(update={"salt": "another"})})
    if growing_variant(before) != before.off_variant and draw(st.booleans()):
        before, after = (rolled_out(before, draw(st.integers(0, BUCKETS)) / 1000) for _ in range(2))
    return before, after


@given(changes())
@thorough
def test_a_change_that_does_not_raise_gives_nobody_more_than_the_off_variant(change: tuple[Flag, Flag]) -> None:
    before, after = change
    if not raises(before, after, NOW):
        was, will = Ruleset.of([before]), Ruleset.of([after])
        for context in USERS:
            if evaluate(was, "x", context, 0.0).variant == before.off_variant:
                assert evaluate(will, "x", context, 0.0).variant == after.off_variant


@given(documents("x", VARIANTS), st.integers(0, BUCKETS), st.integers(0, BUCKETS))
@thorough
def test_a_percentage_raises_when_it_goes_up_and_only_then(document: dict[str, Any], one: int, other: int) -> None:
    flag = Flag.model_validate(document | {"enabled": True})
    if growing_variant(flag) != flag.off_variant:
        before, after = rolled_out(flag, one / 1000), rolled_out(rolled_out(flag, one / 1000), other / 1000)
        assert raises(before, after, NOW) is (weight_of_variant(after, growing_variant(flag)) > one)


FLAG = rolled_out(Flag.model_validate({"key": "x"}), 50)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, False),
        ({"description": "new", "owner": "ada", "tags": ["t"], "expires": "2027-01-31", "version": 9}, False),
        ({"enabled": False}, False),
        ({"default": {"variant": "off"}}, False),
        ({"default": {"variant": "on"}}, True),
        ({"kind": "ops"}, True),
        ({"salt": "other"}, True),
        ({"bucket_by": "tenant"}, True),
        ({"off_variant": "on"}, True),
        ({"targets": [{"variant": "on", "keys": ["user-1"]}]}, True),
        ({"variants": {"on": False, "off": True}}, True),
    ],
    ids=str,
)
def test_what_cannot_be_told_apart_from_raising_counts_as_raising(changed: dict[str, Any], expected: bool) -> None:
    assert raises(FLAG, Flag.model_validate(FLAG.model_dump() | changed), NOW) is expected


def test_enabling_raises_whatever_the_default_is() -> None:
    disabled = FLAG.model_copy(update={"enabled": False})
    assert raises(disabled, rolled_out(FLAG, 0), NOW)


@pytest.mark.parametrize(
    "default",
    [{"variant": "on"}, {"split": [{"variant": "off", "weight": 50_000}, {"variant": "on", "weight": 50_000}]}],
    ids=["everyone", "in the other order"],
)
def test_giving_nobody_another_variant_raises_from_no_default(default: dict[str, Any]) -> None:
    before = Flag.model_validate(FLAG.model_dump() | {"default": default})
    assert not raises(before, rolled_out(before, 0, "on"), NOW)


def ruled(*served: dict[str, Any]) -> Flag:
    rules = [
        {"name": str(at), "when": {"attribute": "a", "op": "eq", "value": at}, "serve": serve}
        for at, serve in enumerate(served)
    ]
    return Flag.model_validate(FLAG.model_dump() | {"rules": rules})


SPLIT = {"split": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]}


@pytest.mark.parametrize(
    ("before", "kept", "expected"),
    [
        ([{"variant": "on"}, {"variant": "off"}], [1], False),
        ([{"variant": "on"}, {"variant": "off"}], [0], True),
        ([SPLIT], [], True),
        ([{"variant": "on"}, {"variant": "on"}], [1, 0], True),
    ],
    ids=["one that gave another variant", "one that gave off", "one that may have", "none, in another order"],
)
def test_taking_out_a_rule_raises_unless_it_gave_another_variant(
    before: list[dict[str, Any]], kept: list[int], expected: bool
) -> None:
    flag = ruled(*before)
    after = flag.model_copy(update={"rules": tuple(flag.rules[at] for at in kept)})
    assert raises(flag, after, NOW) is expected
    assert raises(after, flag, NOW)
