from typing import Any

import pytest

from app.translate.flagd import translate
from app.translate.model import Options, Refusal, Translated
from flags.evaluate import evaluate
from flags.model import Flag
from flags.percentage import rolled_out
from flags.ruleset import Ruleset
from tests.app.flagd_files import call, var
from tests.app.test_translate_flagd import judge

Document = dict[str, Any]

SWITCH = {"on": True, "off": False}
SUITS = {"clubs": "♣", "hearts": "♥", "spades": "♠"}
USERS = [f"user-{number}" for number in range(2000)]


def told(flag: Document, evaluators: Document | None = None, **attributes: str) -> Translated:
    """Translate a file of one flag, `x`, enabled and off by default unless it says otherwise."""
    whole = {"state": "ENABLED", "variants": SWITCH, "defaultVariant": "off", **flag}
    return translate({"flags": {"x": whole}, "$evaluators": evaluators or {}}, Options(attributes))


def document(flag: Document, evaluators: Document | None = None, **attributes: str) -> Document:
    """Return what the flag becomes."""
    translated = told(flag, evaluators, **attributes)
    assert translated.refusals == ()
    return translated.flags[0]


def given_by(flag: Flag, users: list[str]) -> dict[str, str]:
    rules = Ruleset.of([flag])
    return {user: evaluate(rules, "x", {"targetingKey": user}, 0.0).variant for user in users}


def test_a_flag_without_targeting_gives_its_default_and_false_when_killed() -> None:
    flag = document({"defaultVariant": "on"})
    assert (flag["default"], flag["off_variant"], flag["rules"]) == ({"variant": "on"}, "off", [])


def test_a_fractional_of_two_becomes_a_percentage_that_goes_on_growing_with_everyone_where_he_was() -> None:
    fractional = {"fractional": [["on", 10], ["off", 90]]}
    file = {"flags": {"x": {"state": "ENABLED", "variants": SWITCH, "defaultVariant": "off", "targeting": fractional}}}
    ours = document({"targeting": fractional})
    assert ours["default"] == {"split": [{"variant": "on", "weight": 10_000}, {"variant": "off", "weight": 90_000}]}
    flag = Flag.model_validate(ours)
    theirs = judge(file)
    before = given_by(flag, USERS)
    assert before == {user: theirs("x", {"targetingKey": user})[0] for user in USERS}
    after = given_by(rolled_out(flag, 25), USERS)
    assert all(after[user] == "on" for user, variant in before.items() if variant == "on")
    fractional["fractional"] = [["on", 25], ["off", 75]]
    grown = judge(file)
    assert after == {user: grown("x", {"targetingKey": user})[0] for user in USERS}


def test_callers_without_a_key_get_flagds_default_and_no_error() -> None:
    flag = document({"defaultVariant": "on", "targeting": {"fractional": [["on", 10], ["off", 90]]}})
    rules = Ruleset.of([Flag.model_validate(flag)])
    assert [evaluate(rules, "x", context, 0.0).variant for context in ({}, {"targetingKey": ""})] == ["on", "on"]


def test_a_split_of_three_keeps_flagds_order_behind_a_variant_that_nobody_has() -> None:
    shares = {"fractional": [["clubs"], ["hearts", 2], ["spades", 2]]}
    flag = document({"variants": SUITS | {"wild": "*"}, "defaultVariant": "wild", "targeting": shares})
    first, *rest = flag["default"]["split"]
    assert first == {"variant": "wild", "weight": 0}
    assert [(share["variant"], share["rest_weight"]) for share in rest] == [("clubs", 1), ("hearts", 2), ("spades", 2)]


@pytest.mark.parametrize(("weights", "variants"), [((20, 30, 50), 4), ((50, 25, 25), 3)])
def test_a_variant_that_nobody_has_is_added_only_where_the_split_needs_one(
    weights: tuple[int, ...], variants: int
) -> None:
    shares = {"fractional": [[name, weight] for name, weight in zip(SUITS, weights, strict=True)]}
    flag = document({"variants": SUITS, "defaultVariant": "clubs", "targeting": shares})
    assert len(flag["variants"]) == variants
    assert flag["variants"].get("unassigned", "♣") == "♣"


def test_weights_may_be_as_large_as_flagds() -> None:
    shares = {"fractional": [["on", 2**31 - 2], ["off", 1]]}
    flag = document({"targeting": shares})
    assert [share.get("rest_weight") for share in flag["default"]["split"]] == [None, 2**31 - 2, 1]


def test_an_evaluator_that_is_a_condition_becomes_a_segment() -> None:
    evaluators = {"emailWithFaas": call("in", "@faas.com", var("email"))}
    translated = told({"targeting": call("if", {"$ref": "emailWithFaas"}, "on", "off")}, evaluators)
    (segment,) = translated.segments
    assert segment["name"] == "email-with-faas"
    assert segment["when"] == {"attribute": "email", "op": "contains", "value": "@faas.com"}
    (rule,) = translated.flags[0]["rules"]
    assert rule["when"] == {"segment": "email-with-faas"}


def test_branches_become_rules_in_their_order() -> None:
    targeting = call(
        "if",
        call("and", call("==", var("plan"), "pro"), {"!": call("in", var("country"), ["DE", "AT"])}),
        "on",
        call("if", call("starts_with", var("email"), "root@"), "on", None),
    )
    rules = document({"targeting": targeting})["rules"]
    plan = {"attribute": "plan", "op": "eq", "value": "pro"}
    abroad = {"not": {"attribute": "country", "op": "in", "value": ["DE", "AT"]}}
    root = {"attribute": "email", "op": "starts_with", "value": "root@"}
    assert [rule["when"] for rule in rules] == [{"all": [plan, abroad]}, root]


def test_attributes_may_have_other_names_here() -> None:
    targeting = call("if", call("==", var("email"), "a@b.c"), {"fractional": [["on", 50], ["off", 50]]}, "off")
    flag = document({"targeting": targeting}, email="mail", targetingKey="userId")
    assert flag["bucket_by"] == "userId"
    assert flag["rules"][-1]["when"] == {"attribute": "mail", "op": "eq", "value": "a@b.c"}


def test_a_flag_that_leaves_everybody_to_the_code_is_disabled() -> None:
    assert document({"defaultVariant": None})["enabled"] is False


def test_metadata_becomes_tags() -> None:
    assert document({"metadata": {"owner": "checkout", "version": 2}})["tags"] == ["owner=checkout", "version=2"]


@pytest.mark.parametrize(
    ("flag", "place", "reason"),
    [
        ({"targeting": call(">", var("a"), var("b"))}, ".targeting", "Two attributes"),
        ({"targeting": call("if", call("==", {"+": [var("a"), 1]}, 2), "on")}, ".targeting.if[0].==[0]", "calculates"),
        ({"targeting": call("if", call("in", var("a"), "abc"), "on")}, ".targeting.if[0]", "a list of texts"),
        ({"targeting": call("if", var("a.0"), "on")}, ".targeting.if[0]", "a place in a list"),
        ({"targeting": call("if", var("a"), "blue", "off")}, ".targeting", 'unknown variant "blue"'),
        ({"targeting": var("a")}, ".targeting", "An attribute names the variant"),
        ({"targeting": call("if", var("a"), "on"), "defaultVariant": None}, ".targeting", "no defaultVariant"),
        ({"targeting": {"fractionalEvaluation": []}}, ".targeting", 'operator "fractionalEvaluation"'),
        ({"targeting": {"$ref": "nowhere"}}, ".targeting", 'no evaluator "nowhere"'),
        (
            {"targeting": {"fractional": [call("cat", var("a"), var("b")), ["on", 1]]}},
            ".targeting.fractional[0]",
            "cat",
        ),
        ({"targeting": call("/", 1, 0)}, ".targeting", "divides by zero"),
        ({"state": "PAUSED"}, "", "ENABLED or DISABLED"),
        ({"variants": {}}, ".variants", "needs variants"),
        ({"variants": {"on": True, "off": "no"}}, "", "one type"),
    ],
)
def test_what_cannot_be_said_exactly_is_refused_with_its_place(flag: Document, place: str, reason: str) -> None:
    translated = told(flag)
    assert translated.flags == ()
    (refusal,) = translated.refusals
    assert refusal.place == f"$.flags.x{place}"
    assert reason in refusal.reason


def test_what_never_happens_is_not_refused() -> None:
    targeting = call("if", call("==", 1, 2), {"unheard-of": []}, call("or", True, {"unheard-of": []}), "on", "blue")
    assert document({"targeting": targeting})["default"] == {"variant": "on"}


def test_a_refused_flag_leaves_the_others() -> None:
    flag = {"state": "ENABLED", "variants": SWITCH, "defaultVariant": "off"}
    translated = translate({"flags": {"my flag": flag, "x": flag}}, Options())
    assert [each["key"] for each in translated.flags] == ["x"]
    assert translated.refusals[0].place == '$.flags["my flag"]'


@pytest.mark.parametrize("file", [[], {}, {"flags": []}, None])
def test_what_is_no_file_of_flagd_is_refused_whole(file: Any) -> None:
    assert translate(file, Options()) == Translated(
        refusals=(Refusal("$", 'This is no file of flagd: it has no object "flags".'),)
    )


def test_evaluators_that_double_each_other_are_refused_rather_than_written_out() -> None:
    doubling = {f"e{at}": {"and": [{"$ref": f"e{at - 1}"}, {"$ref": f"e{at - 1}"}]} for at in range(1, 40)}
    evaluators = {"e0": {"in": ["a", var("x")]}, **doubling}
    [refusal] = told({"targeting": {"if": [{"==": [{"$ref": "e39"}, True]}, "on", "off"]}}, evaluators).refusals
    assert "more than 1,000 times" in refusal.reason


def test_what_makes_no_flag_of_ours_is_told_in_one_sentence() -> None:
    [refusal] = told({"variants": {"off": 1, "on": "2"}}).refusals
    assert refusal.reason.startswith("This makes no flag of ours: variants must have values of one type")


def test_variants_whose_names_none_can_have_here_keep_what_is_left_of_them() -> None:
    variants = {"off": 0, "10%": 0.1, "100%": 1, "10 %": 0.2, "%": 0.5}
    targeting = {"if": [{"==": [var("tier"), "free"]}, "10%", "100%"]}
    flag = document({"variants": variants, "defaultVariant": "off", "targeting": targeting})
    assert flag["variants"] == {"off": 0, "10": 0.1, "100": 1, "10-2": 0.2, "variant": 0.5}
    assert (flag["rules"][0]["serve"], flag["default"]) == ({"variant": "10"}, {"variant": "100"})


def test_the_older_name_of_fractional_is_told_from_an_unknown_operator() -> None:
    older = {"fractionalEvaluation": ["email", ["on", 50], ["off", 50]]}
    [refused] = told({"targeting": older}).refusals
    assert "another hash" in refused.reason
