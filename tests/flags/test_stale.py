"""Which flags have done their work, judged from their documents and lives alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.evaluate import evaluate
from flags.model import Flag
from flags.names import Kind, Reason
from flags.ruleset import Ruleset
from flags.stale import DAYS, LIFETIMES, Life, StaleReason, last_evaluated, settled_variant, stale
from tests.flags.strategies import callers, flags, thorough

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOW_S = NOW.timestamp()
NEW, LEGACY = {"variant": "new"}, {"variant": "legacy"}
VARIANTS = {"variants": {"new": True, "legacy": False}, "off_variant": "legacy"}


def flag(**fields: Any) -> Flag:
    return Flag.model_validate({"key": "rag-v2", **VARIANTS, **fields})


def split(*weights: int) -> dict[str, Any]:
    return {
        "split": [{"variant": name, "weight": weight} for name, weight in zip(("new", "legacy"), weights, strict=True)]
    }


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


YOUNG = Life(ago(1), None, NOW, ago(100))


def test_a_young_flag_that_is_used_and_on_its_way_is_not_stale() -> None:
    assert stale(flag(), YOUNG, NOW) == ()


@pytest.mark.parametrize(("expires", "expected"), [("2026-11-21", True), ("2026-11-22", False), ("2026-11-23", False)])
def test_a_flag_expires_when_its_day_is_over(expires: str, expected: bool) -> None:
    assert (StaleReason.EXPIRED in stale(flag(expires=expires), YOUNG, NOW)) == expected


@pytest.mark.parametrize(
    ("kind", "days", "expected"),
    [
        ("release", 39, False),
        ("release", 40, True),
        ("experiment", 41, True),
        ("ops", 99, False),
        ("permission", 99, False),
    ],
)
def test_a_flag_is_old_when_it_has_lived_for_longer_than_its_kind_does(kind: str, days: float, expected: bool) -> None:
    life = YOUNG._replace(created_at=ago(days))
    assert (StaleReason.OLD in stale(flag(kind=kind), life, NOW)) == expected


def test_what_a_flag_says_of_its_end_comes_before_the_age_of_its_kind() -> None:
    assert stale(flag(expires="2027-01-01"), YOUNG._replace(created_at=ago(300)), NOW) == ()


def test_every_kind_has_a_lifetime_or_is_meant_to_stay() -> None:
    assert {*LIFETIMES} == {*Kind}


@pytest.mark.parametrize(
    ("since", "days", "expected"), [(13, 14, False), (14, 14, True), (2, 1, True), (20, 30, False)]
)
def test_a_flag_is_stale_once_it_gives_everybody_the_same_for_so_many_days(
    since: float, days: float, expected: bool
) -> None:
    life = YOUNG._replace(settled_since=ago(since))
    assert stale(flag(), life, NOW, days) == ((StaleReason.SETTLED,) if expected else ())


@pytest.mark.parametrize("kind", ["ops", "permission"])
def test_what_is_meant_to_stay_may_give_everybody_the_same(kind: str) -> None:
    assert stale(flag(kind=kind), YOUNG._replace(settled_since=ago(400)), NOW) == ()


def test_a_flag_is_unused_when_nobody_has_asked_for_so_many_days() -> None:
    assert stale(flag(), YOUNG._replace(last_evaluated=ago(DAYS)), NOW) == (StaleReason.UNUSED,)
    assert stale(flag(kind="permission"), YOUNG._replace(last_evaluated=ago(20)), NOW) == (StaleReason.UNUSED,)
    assert stale(flag(), YOUNG._replace(last_evaluated=ago(20)), NOW, days=30) == ()


@pytest.mark.parametrize(
    ("created", "noted", "expected"), [(20, 20, True), (20, 3, False), (3, 20, False), (20, None, False)]
)
def test_a_flag_was_never_evaluated_only_if_that_would_have_been_noted_for_long_enough(
    created: float, noted: float | None, expected: bool
) -> None:
    life = Life(ago(created), None, None, None if noted is None else ago(noted))
    assert (StaleReason.NEVER_EVALUATED in stale(flag(), life, NOW)) == expected


def test_a_flag_of_which_nothing_is_known_is_not_stale() -> None:
    assert stale(flag(), Life(), NOW) == ()


def test_all_reasons_are_told() -> None:
    life = Life(ago(100), ago(50), ago(40), ago(100))
    assert stale(flag(), life, NOW) == (StaleReason.OLD, StaleReason.SETTLED, StaleReason.UNUSED)


@pytest.mark.parametrize(
    ("fields", "variant"),
    [
        ({"default": split(0, 100_000)}, "legacy"),
        ({"default": split(100_000, 0)}, "new"),
        ({"default": split(99_999, 1)}, None),
        ({"default": NEW}, "new"),
        ({"default": NEW, "enabled": False}, "legacy"),
        ({"default": NEW, "targets": [{"variant": "new", "keys": ["mina"]}]}, "new"),
        ({"default": NEW, "targets": [{"variant": "legacy", "keys": ["mina"]}]}, None),
        ({"default": NEW, "prerequisites": [{"flag": "base", "variants": ["on"]}]}, None),
        ({"default": LEGACY, "prerequisites": [{"flag": "base", "variants": ["on"]}]}, "legacy"),
        ({"default": NEW, "schedule": [{"at": "2027-01-01T00:00:00Z", "percentage": 5}]}, None),
        ({"default": split(5, 99_995), "schedule": [{"at": "2026-01-01T00:00:00Z", "percentage": 100}]}, "new"),
        ({"default": NEW, "schedule": [{"at": "2026-01-01T00:00:00Z", "enabled": False}]}, "legacy"),
    ],
)
def test_a_flag_is_settled_when_everybody_gets_one_variant(fields: dict[str, Any], variant: str | None) -> None:
    assert settled_variant(flag(**fields), NOW_S) == variant


@pytest.mark.parametrize(("serve", "variant"), [(NEW, "new"), (LEGACY, None), (split(100_000, 0), "new")])
def test_rules_count_as_the_default_does(serve: dict[str, Any], variant: str | None) -> None:
    rule = {"name": "pro", "when": {"attribute": "plan", "op": "eq", "value": "pro"}, "serve": serve}
    assert settled_variant(flag(default=NEW, rules=[rule]), NOW_S) == variant


def test_a_share_that_was_rounded_away_still_is_one_of_the_rest() -> None:
    shares = [("new", 0, None), ("legacy", 100_000, 99_999), ("blue", 0, 1)]
    split = [
        {"variant": name, "weight": weight} | ({"rest_weight": rest} if rest else {}) for name, weight, rest in shares
    ]
    three = {"new": 1, "legacy": 2, "blue": 3}
    assert settled_variant(flag(variants=three, default={"split": split}), NOW_S) is None
    alone = flag(variants=three, default={"split": [{"variant": "blue", "weight": 100_000}]})
    assert settled_variant(alone, NOW_S) == "blue"


@thorough
@given(flags(), st.lists(callers, min_size=1, max_size=5))
def test_a_settled_flag_gives_its_variant_to_whoever_has_a_key(settled: Flag, asked: list[Any]) -> None:
    variant = settled_variant(settled, 0.0)
    unkeyed = {Reason.TARGETING_KEY_MISSING, Reason.INVALID_CONTEXT}
    for context in asked:
        decision = evaluate(Ruleset.of([settled]), settled.key, context, 0.0)
        assert variant is None or decision.variant == variant or decision.reason in unkeyed


def test_a_prerequisite_is_evaluated_when_what_stands_on_it_is() -> None:
    def standing(key: str, *below: str) -> Flag:
        return flag(key=key, prerequisites=[{"flag": name, "variants": ["new"]} for name in below])

    known = {each.key: each for each in (standing("a", "b", "c"), standing("b", "d"), standing("c"), standing("d"))}
    last = {"a": ago(1), "b": ago(5), "c": ago(0.5)}
    assert last_evaluated(known, last) == {"a": ago(1), "b": ago(1), "c": ago(0.5), "d": ago(1)}


def test_flags_that_stand_on_each_other_or_on_nothing_there_is_are_gone_through_once() -> None:
    pair = {key: flag(key=key, prerequisites=[{"flag": other, "variants": ["new"]}]) for key, other in ("ab", "ba")}
    assert last_evaluated(pair, {"a": ago(1), "gone": ago(2)}) == {"a": ago(1), "b": ago(1), "gone": ago(2)}
