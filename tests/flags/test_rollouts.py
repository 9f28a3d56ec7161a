"""What the two layers are for: a percentage moves callers into the growing variant and out of it, and nobody else."""

from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flags.bucketing import BUCKETS
from flags.evaluate import evaluate
from flags.model import Flag
from flags.percentage import rolled_out, rules_with_percentages
from flags.ruleset import Ruleset
from tests.flags.strategies import brief

USERS = tuple(f"user-{number}" for number in range(1500))


def three_variants(first: int, second: int) -> Flag:
    """Return a flag whose default gives `new` the first weight, `other` the second and `legacy` the rest."""
    weights = {"new": first, "other": second, "legacy": BUCKETS - first - second}
    split = [{"variant": name, "weight": weight} for name, weight in weights.items()]
    return Flag.model_validate({"key": "x", "variants": {name: name for name in weights}, "default": {"split": split}})


def given_to(flag: Flag, users: Iterable[str] = USERS) -> dict[str, str]:
    """Return each user's variant."""
    ruleset = Ruleset.of([flag])
    return {user: evaluate(ruleset, flag.key, {"targetingKey": user}, 0.0).variant for user in users}


def test_raising_only_ever_adds_users_and_lowering_is_the_exact_reverse() -> None:
    flag = Flag.model_validate({"key": "x"})
    up = []
    for step in range(1001):
        flag = rolled_out(flag, step / 10)
        up.append({user for user, variant in given_to(flag, USERS[:400]).items() if variant == "on"})
    assert up[0] == set()
    assert up[-1] == set(USERS[:400])
    assert all(before <= after for before, after in pairwise(up))
    for step in reversed(range(1001)):
        flag = rolled_out(flag, step / 10)
        assert {user for user, variant in given_to(flag, USERS[:400]).items() if variant == "on"} == up[step]


def test_with_three_variants_nobody_moves_between_the_others_in_any_step() -> None:
    flag = three_variants(0, 33_333)
    others = given_to(flag)
    for step in (*range(0, 1001, 20), *reversed(range(0, 1001, 20))):
        flag = rolled_out(flag, step / 10)
        now = given_to(flag)
        assert all(variant in {"new", others[user]} for user, variant in now.items())
        assert step < 1000 or set(now.values()) == {"new"}
    assert given_to(flag) == others


@given(
    st.integers(0, BUCKETS).flatmap(lambda first: st.tuples(st.just(first), st.integers(0, BUCKETS - first))),
    st.lists(st.integers(0, BUCKETS), min_size=1, max_size=6),
)
@brief
def test_any_walk_of_percentages_depends_only_on_where_it_ends(start: tuple[int, int], walk: list[int]) -> None:
    flag = three_variants(*start)
    end = flag
    for weight in walk:
        end = rolled_out(end, weight / 1000)
    assert given_to(end, USERS[:150]) == given_to(rolled_out(flag, walk[-1] / 1000), USERS[:150])
    if start[0] < BUCKETS:
        assert given_to(rolled_out(end, start[0] / 1000), USERS[:150]) == given_to(flag, USERS[:150])


def test_rules_and_default_of_one_flag_split_callers_alike() -> None:
    flag = rolled_out(Flag.model_validate({"key": "x"}), 30)
    rule = {"name": "r", "when": {"attribute": "targetingKey", "op": "exists"}, "serve": flag.default}
    assert given_to(flag) == given_to(Flag.model_validate({"key": "x", "rules": [rule]}))


def test_users_who_share_a_tenant_move_together() -> None:
    flag = rolled_out(Flag.model_validate({"key": "x", "bucket_by": "tenant"}), 50)
    ruleset = Ruleset.of([flag])
    contexts = [{"targetingKey": f"user-{number}", "tenant": f"t-{number % 20}"} for number in range(400)]
    pairs = {(context["tenant"], evaluate(ruleset, "x", context, 0.0).variant) for context in contexts}
    assert len(pairs) == 20
    assert {variant for _, variant in pairs} == {"on", "off"}


def test_rules_that_have_percentages_of_their_own_are_found_by_their_split_or_their_buckets() -> None:
    is_pro = {"attribute": "plan", "op": "eq", "value": "pro"}
    tenth = {"bucket": {"salt": "x", "to": 10_000}}
    half = [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]
    rules = [
        {"name": "split", "when": is_pro, "serve": {"split": half}},
        {"name": "buckets", "when": {"all": [is_pro, {"not": tenth}]}, "serve": {"variant": "on"}},
        {"name": "plain", "when": is_pro, "serve": {"variant": "on"}},
    ]
    flag = Flag.model_validate({"key": "x", "rules": rules})
    assert rules_with_percentages(flag) == ("split", "buckets")
