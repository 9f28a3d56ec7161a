from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.bucketing import BUCKETS
from flags.model import Flag
from flags.percentage import PercentageError, growing_variant, rolled_out, weight_of, weight_of_variant
from tests.flags.strategies import thorough

NO_PERCENTAGES: dict[str, float] = {
    "a little below": -0.001,
    "a little above": 100.001,
    "far above": 1e308,
    "an integer beyond floats": 10**400,
    "an integer beyond printing": -(10**5000),
    "NaN": float("nan"),
    "infinity": float("inf"),
    "negative infinity": -float("inf"),
    "true": True,
    "false": False,
}


def shares(flag: Flag) -> dict[str, int]:
    """Return the weights of the flag's default split, in order."""
    return {share.variant: share.weight for share in flag.default.split or ()}


def split_flag(weights: dict[str, int], off: str) -> Flag:
    """Return a flag with this default split."""
    split = [{"variant": name, "weight": weight} for name, weight in weights.items()]
    variants = {name: name for name in {**weights, off: 0}}
    return Flag.model_validate({"key": "x", "variants": variants, "off_variant": off, "default": {"split": split}})


def test_every_step_of_a_thousandth_percent_is_exact() -> None:
    wrong = [weight for weight in range(BUCKETS + 1) if weight_of(weight / 1000) != weight]
    assert wrong == []


@pytest.mark.parametrize(
    ("percentage", "weight"), [(0, 0), (-0.0, 0), (100, BUCKETS), (100.0, BUCKETS), (0.001, 1), (33.333, 33_333)]
)
def test_a_percentage_is_a_thousand_hundred_thousandths(percentage: float, weight: int) -> None:
    assert weight_of(percentage) == weight


@pytest.mark.parametrize("percentage", NO_PERCENTAGES.values(), ids=NO_PERCENTAGES.keys())
def test_what_is_no_percentage_is_refused(percentage: float) -> None:
    with pytest.raises(PercentageError, match="from 0 to 100"):
        weight_of(percentage)


@pytest.mark.parametrize("percentage", [0.0001, 5e-324, 1e-300, 0.1 + 0.2, 33.3333, 99.99999999999999])
def test_what_is_finer_than_a_thousandth_is_refused_and_not_rounded(percentage: float) -> None:
    with pytest.raises(PercentageError, match="three decimals"):
        weight_of(percentage)


def test_the_growing_variant_is_the_first_of_the_split_else_the_first_that_is_not_off() -> None:
    assert growing_variant(split_flag({"b": 1, "a": 99_999}, "a")) == "b"
    fixed = {"key": "x", "variants": {"off": 1, "a": 2, "b": 3}, "default": {"variant": "b"}}
    assert growing_variant(Flag.model_validate(fixed)) == "a"


def test_the_off_variant_has_what_the_growing_one_leaves() -> None:
    flag = Flag.model_validate({"key": "x"})
    assert shares(rolled_out(flag, 25)) == {"on": 25_000, "off": 75_000}
    assert shares(rolled_out(flag, 100)) == {"on": 100_000, "off": 0}
    assert rolled_out(rolled_out(flag, 25), 0) == flag


def test_a_fixed_default_becomes_a_split() -> None:
    flag = Flag.model_validate({"key": "x", "default": {"variant": "on"}})
    assert weight_of_variant(flag, "on") == BUCKETS
    assert weight_of_variant(flag, "off") == 0
    assert shares(rolled_out(flag, 10)) == {"on": 10_000, "off": 90_000}


def test_nothing_but_the_default_changes() -> None:
    flag = Flag.model_validate({"key": "x", "description": "d", "version": 4, "tags": ["t"]})
    after = rolled_out(flag, 50)
    assert after.model_copy(update={"default": flag.default}) == flag


def test_three_variants_keep_their_proportions_to_a_hundred_percent_and_back() -> None:
    flag = split_flag({"a": 10_000, "b": 60_000, "off": 30_000}, "off")
    assert shares(rolled_out(flag, 40)) == {"a": 40_000, "b": 40_000, "off": 20_000}
    everyone = rolled_out(flag, 100)
    assert shares(everyone) == {"a": 100_000, "b": 0, "off": 0}
    assert shares(rolled_out(everyone, 10)) == shares(flag)


def test_another_growing_variant_meets_the_others_as_they_are_now() -> None:
    flag = rolled_out(split_flag({"a": 10_000, "b": 45_000, "off": 45_000}, "off"), 50)
    assert shares(flag) == {"a": 50_000, "b": 25_000, "off": 25_000}
    assert shares(rolled_out(flag, 25, "b")) == {"b": 25_000, "a": 50_000, "off": 25_000}


@pytest.mark.parametrize(
    ("variant", "said"),
    [("blue", 'variant "blue" is not one of on, off'), ("", "is not one of"), ("off", "name another")],
)
def test_a_variant_that_cannot_grow_is_refused(variant: str, said: str) -> None:
    with pytest.raises(PercentageError, match=said):
        rolled_out(Flag.model_validate({"key": "x"}), 10, variant)


def test_a_split_led_by_the_off_variant_needs_the_growing_one_named() -> None:
    flag = split_flag({"off": 90_000, "on": 10_000}, "off")
    with pytest.raises(PercentageError, match="name another"):
        rolled_out(flag, 10)
    assert shares(rolled_out(flag, 20, "on")) == {"on": 20_000, "off": 80_000}


splits_of_three_or_more = st.lists(st.integers(0, 30_000), min_size=2, max_size=4).map(
    lambda rest: {"grow": BUCKETS - sum(rest[:3])} | {f"rest-{at}": weight for at, weight in enumerate(rest[:3])}
)


@given(splits_of_three_or_more, st.lists(st.integers(0, BUCKETS), min_size=1, max_size=5))
@thorough
def test_any_series_of_percentages_leaves_a_valid_flag_with_the_same_rest(
    weights: dict[str, int], series: list[int]
) -> None:
    flag = split_flag(weights, "rest-0")
    rest: dict[str, Any] = {name: weight for name, weight in weights.items() if name != "grow"}
    for weight in series:
        flag = Flag.model_validate_json(rolled_out(flag, weight / 1000).model_dump_json())
        assert weight_of_variant(flag, "grow") == weight
        split = flag.default.split or ()
        if sum(rest.values()):
            assert {share.variant: share.rest_weight for share in split[1:]} == rest
        else:
            assert [share.variant for share in split] == ["grow", "rest-0"]
