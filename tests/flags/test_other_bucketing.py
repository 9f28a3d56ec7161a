from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flags.algorithms import ALGORITHMS, bucketer, rest_chooser
from flags.decision import Decision
from flags.evaluate import evaluate
from flags.model import Flag
from flags.names import Reason
from flags.percentage import rolled_out
from flags.ruleset import Ruleset

OTHERS = sorted(set(ALGORITHMS) - {"murmur3-100k"})
USERS = [f"user-{number}" for number in range(400)]

keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


def flag(bucketing: str, default: dict[str, Any], rules: list[dict[str, Any]] | None = None) -> Flag:
    """Return a flag of three variants under this bucketing."""
    return Flag.model_validate(
        {
            "key": "x",
            "salt": "group",
            "bucketing": bucketing,
            "variants": {"new": "new", "blue": "blue", "off": "off"},
            "off_variant": "off",
            "rules": rules or [],
            "default": default,
        }
    )


def decided(document: Flag, context: dict[str, Any]) -> Decision:
    """Return what the flag gives."""
    return evaluate(Ruleset.of([document]), "x", context, 0.0)


def half(**more: Any) -> dict[str, Any]:
    """Return a split of a quarter, and the rest 2 : 1."""
    shares = [
        {"variant": "new", "weight": 25_000},
        {"variant": "blue", "weight": 50_000, "rest_weight": 2},
        {"variant": "off", "weight": 25_000, "rest_weight": 1},
    ]
    return {"split": shares, **more}


@given(st.sampled_from(OTHERS), keys)
def test_a_split_places_callers_as_its_bucketing_says(bucketing: str, key: str) -> None:
    decision = decided(flag(bucketing, half()), {"targetingKey": key})
    bucket = bucketer(bucketing, "group")(key)
    rest = ("blue", "off")[rest_chooser(bucketing, "group", 25_000, [2, 1])(key)] if bucket >= 25_000 else None
    assert (decision.variant, decision.bucket, decision.reason) == (rest or "new", bucket, Reason.SPLIT)


@pytest.mark.parametrize("bucketing", sorted(ALGORITHMS))
def test_a_split_hashes_the_first_attribute_that_is_there_with_its_own_salt(bucketing: str) -> None:
    document = flag(bucketing, half(by=["account", "session"], salt="own"))
    place = bucketer(bucketing, "own")
    for user in USERS:
        assert decided(document, {"account": user, "session": "s"}).bucket == place(user)
        assert decided(document, {"account": "", "session": user}).bucket == place(user)
    assert decided(document, {"targetingKey": "user"}).reason is Reason.TARGETING_KEY_MISSING
    assert decided(document, {"account": [1], "session": "s"}).reason is Reason.INVALID_CONTEXT
    assert decided(document, {"account": "\ud800"}).reason is Reason.INVALID_CONTEXT


@pytest.mark.parametrize("bucketing", sorted(ALGORITHMS))
def test_nobody_moves_while_the_percentage_rises(bucketing: str) -> None:
    document, had = flag(bucketing, half(by=["account"], salt="own")), frozenset[str]()
    for percentage in (0, 0.5, 1, 25, 25.5, 99.999, 100):
        raised = rolled_out(document, percentage, "new")
        has = frozenset(user for user in USERS if decided(raised, {"account": user}).variant == "new")
        assert had <= has
        had = has
    assert len(had) == len(USERS)


@pytest.mark.parametrize("bucketing", sorted(ALGORITHMS))
def test_a_bucket_condition_holds_from_its_first_bucket_to_below_its_last(bucketing: str) -> None:
    part = {"by": ["account", "session"], "salt": "g", "bucketing": bucketing, "from": 20_000, "to": 60_000}
    rule = {"name": "part", "when": {"bucket": part}, "serve": {"variant": "new"}}
    document, place = flag(bucketing, {"variant": "off"}, [rule]), bucketer(bucketing, "g")
    for user in USERS:
        expected = "new" if 20_000 <= place(user) < 60_000 else "off"
        assert decided(document, {"session": user}).variant == expected
    assert decided(document, {}).variant == "off"
    assert decided(document, {"account": {}}).variant == "off"
