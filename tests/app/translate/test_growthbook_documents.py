from typing import Any

import pytest
from growthbook import GrowthBook

from app.translate.growthbook import translate
from app.translate.model import Document, Options
from flags.evaluate import evaluate
from flags.model import Flag
from flags.percentage import rolled_out
from flags.ruleset import Ruleset

ROLLOUT: Document = {"defaultValue": False, "rules": [{"force": True, "coverage": 0.25, "hashVersion": 2}]}


def flag_of(feature: Any, **options: str) -> dict[str, Any]:
    translated = translate({"features": {"it": feature}}, Options(options))
    assert translated.refusals == ()
    return translated.flags[0]


def refusal_of(feature: Any, **beside: Any) -> tuple[str, str]:
    translated = translate({"features": {"it": feature, **beside}}, Options())
    refusal = translated.refusals[0]
    return refusal.place, refusal.reason


def test_a_plain_rollout_becomes_the_default_split() -> None:
    flag = flag_of(ROLLOUT)
    assert flag["default"] == {"split": [{"variant": "on", "weight": 25_000}, {"variant": "off", "weight": 75_000}]}
    assert (flag["bucketing"], flag["salt"], flag["bucket_by"]) == ("growthbook-2", "it", "targetingKey")
    assert "rules" not in flag


@pytest.mark.parametrize("coverage", [0, 0.25, 0.375, 0.7, 1])
def test_raising_a_rollout_gives_the_variant_to_those_whom_growthbook_would_give_it(coverage: float) -> None:
    raised = Ruleset.of([rolled_out(Flag.model_validate(flag_of(ROLLOUT)), coverage * 100)])
    rule = {"force": True, "coverage": coverage, "hashVersion": 2}
    for number in range(1000):
        theirs = GrowthBook(attributes={"id": f"u{number}"}, features={"it": {"defaultValue": False, "rules": [rule]}})
        assert evaluate(raised, "it", {"targetingKey": f"u{number}"}, 0).value is theirs.is_on("it")


def test_each_variation_becomes_a_rule_named_after_it() -> None:
    experiment = {"key": "colour", "variations": ["red", "blue"], "weights": [0.5, 0.5], "coverage": 0.5}
    flag = flag_of({"defaultValue": "red", "rules": [{**experiment, "meta": [{"name": "Control"}, {"key": "1"}]}]})
    assert [rule["name"] for rule in flag["rules"]] == ["colour: Control", "colour: 1"]
    assert flag["variants"] == {"red": "red", "blue": "blue"}


def test_attributes_have_the_names_the_caller_gives_them() -> None:
    rule = {"condition": {"org.plan": "pro"}, "force": True, "coverage": 0.5, "hashAttribute": "account"}
    flag = flag_of({"defaultValue": False, "rules": [rule]}, account="tenant", org="organisation")
    assert '"by": ["tenant"]'.replace('"', "'") in str(flag)
    assert "'attribute': '/organisation/plan'" in str(flag)


def test_saved_groups_that_are_used_become_segments() -> None:
    feature: Any = {"defaultValue": False, "rules": [{"condition": {"id": {"$inGroup": "grp_A"}}, "force": True}]}
    document: Any = {"features": {"it": feature}, "savedGroups": {"grp_A": ["u1"], "grp_b": []}}
    translated = translate(document, Options())
    assert [segment["name"] for segment in translated.segments] == ["grp_a"]
    assert "{'segment': 'grp_a'}" in str(translated.flags)


def test_the_features_may_stand_alone() -> None:
    assert [flag["key"] for flag in translate({"it": ROLLOUT}, Options()).flags] == ["it"]


REFUSED: list[tuple[Any, str, str]] = [
    ({"defaultValue": None}, ".defaultValue", "null"),
    ({"defaultValue": [1]}, ".defaultValue", "a list"),
    ({"defaultValue": "a", "rules": [{"force": 1}]}, ".rules[0].force", "values of one type"),
    ({"defaultValue": 1, "rules": [{"force": 2, "when": 1}]}, ".rules[0].when", "not known"),
    (
        {"defaultValue": 1, "rules": [{"condition": {"a": {"$near": 1}}, "force": 2}]},
        ".rules[0].condition.a.$near",
        "$near",
    ),
    ({"defaultValue": 1, "rules": [{"condition": {"a": [1]}, "force": 2}]}, ".rules[0].condition.a", "whole lists"),
    (
        {"defaultValue": 1, "rules": [{"condition": {"a": {"$regex": "(?=x)"}}, "force": 2}]},
        ".rules[0].condition.a.$regex",
        "unusual",
    ),
    (
        {"defaultValue": 1, "rules": [{"condition": {"a": {"$inGroup": "g"}}, "force": 2}]},
        ".rules[0].condition.a.$inGroup",
        "group",
    ),
    (
        {"defaultValue": 1, "rules": [{"variations": [1, 2], "minBucketVersion": 1}]},
        ".rules[0].minBucketVersion",
        "sticky",
    ),
    ({"defaultValue": 1, "rules": [{"contextualVariations": [1, 2]}]}, ".rules[0].contextualVariations", "not known"),
    (
        {"defaultValue": 1, "rules": [{"force": 2, "coverage": 0.5, "hashVersion": 3}]},
        ".rules[0].hashVersion",
        "version 3",
    ),
    (
        {"defaultValue": 1, "rules": [{"parentConditions": [{"id": "x"}], "force": 2}]},
        ".rules[0].parentConditions[0]",
        "no feature",
    ),
    (
        {"defaultValue": 1, "rules": [{"parentConditions": [{"id": "it"}], "force": 2}]},
        ".rules[0].parentConditions[0]",
        "itself",
    ),
    ([], "", "object"),
]


@pytest.mark.parametrize(("feature", "place", "reason"), REFUSED)
def test_what_cannot_be_said_is_refused_with_its_place(feature: Any, place: str, reason: str) -> None:
    where, why = refusal_of(feature)
    assert where == f"$.features.it{place}"
    assert reason in why


def test_a_key_with_other_letters_is_refused_under_its_own_name() -> None:
    place = translate({"features": {"a:b": ROLLOUT}}, Options()).refusals[0].place
    assert place == '$.features["a:b"]'


def test_prerequisites_of_some_of_the_rules_are_refused() -> None:
    own = [{"id": "other", "condition": {"value": True}}]
    feature = {"defaultValue": 1, "rules": [{"force": 2, "coverage": 0.1}, {"parentConditions": own, "force": 3}]}
    place, reason = refusal_of(feature, other={"defaultValue": True})
    assert place == "$.features.it.rules[1].parentConditions"
    assert "some of the rules" in reason


@pytest.mark.parametrize("document", [[], {"features": []}, {"encryptedFeatures": "x"}, {"experiments": [{}]}])
def test_a_file_that_is_no_payload_is_refused(document: Any) -> None:
    translated = translate(document, Options())
    assert translated.flags == ()
    assert translated.refusals
