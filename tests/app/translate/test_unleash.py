import json
from typing import Any

import pytest

from app.translate.model import Options, Translated
from app.translate.unleash import translate
from flags.decision import Decision
from flags.evaluate import evaluate
from flags.model import Flag
from flags.percentage import rolled_out
from flags.ruleset import Ruleset
from flags.segment import Segment

Document = dict[str, Any]

USERS = [f"user-{number}" for number in range(200)]


def flexible(percentage: str = "25", stickiness: str = "default", **more: Any) -> Document:
    return {
        "name": "flexibleRollout",
        "parameters": {"rollout": percentage, "stickiness": stickiness, "groupId": "group"},
        **more,
    }


def feature(*strategies: Document, **more: Any) -> Document:
    return {"name": "checkout", "type": "release", "enabled": True, "strategies": [*strategies], **more}


def told(*features: Document, segments: list[Document] | None = None, **attributes: str) -> Translated:
    document = {"version": 2, "features": [*features], "segments": segments or []}
    return translate(document, Options(attributes))


def refusal(*features: Document, segments: list[Document] | None = None) -> tuple[str, str]:
    [refused] = told(*features, segments=segments).refusals
    return refused.place, refused.reason


def decided(translated: Translated, context: Document, key: str = "checkout") -> Decision:
    flags = map(Flag.model_validate, translated.flags)
    segments = map(Segment.model_validate, translated.segments)
    return evaluate(Ruleset.of(flags, segments=segments), key, context, 1_800_000_000.0)


def limit(operator: str = "IN", field: str = "country", **more: Any) -> Document:
    return {"contextName": field, "operator": operator, **({"values": ["NO"]} | more)}


def test_a_percentage_alone_is_a_default_that_can_be_raised_with_everybody_staying() -> None:
    [document] = told(feature(flexible())).flags
    flag = Flag.model_validate(document)
    had: set[str] = set()
    for percentage in (25, 25.4, 26, 70):
        ruleset = Ruleset.of([rolled_out(flag, percentage)])
        has = {user for user in USERS if evaluate(ruleset, "checkout", {"sessionId": user}, 0.0).variant == "on"}
        assert had <= has
        had = has


def test_a_feature_for_everybody_is_on_without_a_key() -> None:
    for strategies in ((), ({"name": "default"},), (flexible("100"),), (flexible("100", "random"),)):
        assert decided(told(feature(*strategies)), {}).value is True
    assert decided(told(feature(flexible("100", "userId"))), {}).value is False


def test_a_strategy_that_does_not_hold_leaves_it_to_the_next() -> None:
    first = flexible("0", constraints=[limit()])
    translated = told(feature(first, {"name": "userWithId", "parameters": {"userIds": "1, 2"}}))
    assert [decided(translated, {"targetingKey": key}).value for key in ("1", "2", "3")] == [True, True, False]


def test_a_feature_that_is_off_keeps_its_targeting() -> None:
    [document] = told(feature(flexible(), enabled=False)).flags
    assert document["enabled"] is False
    assert "split" in document["default"]


def test_segments_are_segments_of_ours_under_names_that_ours_may_have() -> None:
    segments = [
        {"id": number, "name": name, "constraints": [limit()]} for number, name in ((3, "The Beta"), (4, "the beta"))
    ]
    translated = told(feature(flexible("100", segments=[3, 4])), segments=segments)
    assert [each["name"] for each in translated.segments] == ["the-beta", "the-beta-4"]
    assert decided(translated, {"country": "NO"}).value is True
    assert decided(translated, {"country": "SE"}).value is False


def payload(kind: str, value: str) -> Document:
    return {"type": kind, "value": value}


@pytest.mark.parametrize(
    ("payloads", "values"),
    [
        ([None, None], ["a", "b", "disabled"]),
        ([payload("string", "x"), payload("csv", "y,z")], ["x", "y,z", ""]),
        ([payload("number", "1"), payload("number", "2.5")], [1, 2.5, 0]),
        ([payload("json", '{"x": 1}'), payload("json", "{}")], [{"x": 1}, {}, {}]),
        (
            [payload("json", "[1]"), None],
            [{"name": "a", "payload": [1]}, {"name": "b", "payload": None}, {"name": "disabled", "payload": None}],
        ),
    ],
    ids=["names", "texts", "numbers", "objects", "of many kinds"],
)
def test_payloads_are_values_where_they_are_of_one_type(payloads: list[Document | None], values: list[Any]) -> None:
    variants = [
        {"name": name, "weight": 500, **({"payload": each} if each else {})}
        for name, each in zip("ab", payloads, strict=True)
    ]
    [document] = told(feature(variants=variants)).flags
    assert isinstance(document["variants"], dict)
    assert [*document["variants"].values()] == values


def test_what_can_be_shown_of_the_time_is_compared_with_the_callers_or_the_evaluations() -> None:
    dated = {"name": "default", "constraints": [limit("DATE_AFTER", "currentTime", value="2025-01-01T00:00:00Z")]}
    translated = told(feature(dated))
    assert decided(translated, {}).value is True
    assert decided(translated, {"currentTime": "2024-12-31T00:00:00Z"}).value is False
    assert decided(translated, {"currentTime": "soon"}).value is False


@pytest.mark.parametrize(
    ("strategy", "place"),
    [
        (flexible("25.5"), ".parameters.rollout"),
        (flexible("50", "random"), ".parameters.stickiness"),
        ({"name": "gradualRolloutRandom", "parameters": {"percentage": "5"}}, ".name"),
        ({"name": "applicationHostname", "parameters": {"hostNames": "a"}}, ".name"),
        ({"name": "ourOwn"}, ".name"),
        (flexible(constraints=[limit(), limit("BEYOND")]), ".constraints[1].operator"),
        (flexible(constraints=[limit("NUM_GT", value="x")]), ".constraints[0].value"),
        (flexible(constraints=[limit("SEMVER_GT", value="1.2")]), ".constraints[0].value"),
        (flexible(constraints=[limit("DATE_AFTER", value="2025-01-01")]), ".constraints[0].value"),
        (flexible(constraints=[limit(values=["a\\"])]), ".constraints[0].values[0]"),
        (flexible(constraints=[limit(field="$now")]), ".constraints[0].contextName"),
        (flexible(constraints=[{"operator": "IN"}]), ".constraints[0].contextName"),
        (flexible(segments=[9]), ".segments[0]"),
        (flexible(variants=[{"name": "a", "weight": 0}]), ".variants"),
        ({"name": "remoteAddress", "parameters": {"IPs": "10.0.0.0/255.0.0.0"}}, ".parameters.IPs"),
    ],
)
def test_what_cannot_be_said_is_refused_at_its_place(strategy: Document, place: str) -> None:
    given = feature({"name": "default"}, strategy)
    assert refusal(given)[0] == f"$.features[0].strategies[1]{place}"
    assert told(given).flags == ()


@pytest.mark.parametrize(
    ("parent", "dependency", "reason"),
    [
        ({}, {"feature": "unknown"}, "not in the file"),
        ({"strategies": [{"name": "ourOwn"}]}, {}, "refused"),
        ({"dependencies": [{"feature": "other"}]}, {}, "stands on features itself"),
        ({"enabled": False}, {"enabled": False}, "fulfils no prerequisite"),
        ({"variants": [{"name": "a", "weight": 1}]}, {"variants": ["b"]}, "never gives"),
    ],
)
def test_a_feature_goes_where_the_one_it_stands_on_goes(parent: Document, dependency: Document, reason: str) -> None:
    other = feature(name="other")
    standing = feature(dependencies=[{"feature": "parent", **dependency}])
    translated = told(other, feature(name="parent") | parent, standing)
    assert any(
        reason in refused.reason and refused.place.startswith("$.features[2]") for refused in translated.refusals
    )
    assert "checkout" not in {flag["key"] for flag in translated.flags}


def exported(**more: Any) -> Document:
    return {
        "features": [{"name": "checkout", "type": "experiment", "description": "of carts", "archived": False}],
        "featureStrategies": [
            {**flexible("100"), "featureName": "checkout", "sortOrder": 2},
            {"name": "userWithId", "parameters": {"userIds": "7"}, "featureName": "checkout", "sortOrder": 1}
            | {"variants": [{"name": "red", "weight": 1000}]},
            {"name": "ourOwn", "featureName": "checkout", "disabled": True},
            {"name": "ourOwn", "featureName": "another"},
        ],
        "featureEnvironments": [
            {"name": "checkout", "featureName": "checkout", "enabled": True, "environment": "prod"}
        ],
        "segments": [],
        "tagTypes": [],
    } | more


def test_an_export_of_the_administration_is_put_together() -> None:
    translated = translate(exported(), Options())
    assert translated.refusals == ()
    assert (translated.flags[0]["kind"], translated.flags[0]["description"]) == ("experiment", "of carts")
    assert decided(translated, {"targetingKey": "7"}).variant == "red"
    assert decided(translated, {"targetingKey": "8"}).variant == "enabled"


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"featureEnvironments": []}, "$.features[0]"),
        ({"features": [{"name": "checkout", "archived": True}]}, "$.features[0].archived"),
        (
            {"featureStrategies": [{"name": "default", "featureName": "checkout", "disabled": True}]},
            "$.features[0]",
        ),
        ({"segments": [{"id": 1, "name": "beta"}]}, "$.segments[0]"),
        (
            {"featureStrategies": [{}, {"name": "ourOwn", "featureName": "checkout"}]},
            "$.featureStrategies[1].name",
        ),
    ],
)
def test_what_an_export_does_not_say_is_refused_at_its_place(more: Document, place: str) -> None:
    [refused] = translate(exported(**more), Options()).refusals
    assert refused.place == place


@pytest.mark.parametrize("document", [None, [], {}, {"features": {}}, {"flags": []}])
def test_a_document_of_another_kind_is_refused_as_a_whole(document: Any) -> None:
    [refused] = translate(document, Options()).refusals
    assert refused.place == "$"


@pytest.mark.parametrize(
    "given", [None, 1, "x", {}, {"name": "x"}, {"name": 1, "enabled": True}, feature(strategies=1), feature("x")]
)
def test_a_broken_feature_is_refused_and_the_others_are_told(given: Any) -> None:
    whole = feature() | {"name": "whole"}
    translated = told(given, whole)
    assert [flag["key"] for flag in translated.flags] == ["whole"]
    assert len(translated.refusals) == 1
    assert json.dumps([refused.place for refused in translated.refusals]).startswith('["$.features')


def test_fields_have_the_names_that_the_caller_gives_them() -> None:
    [document] = told(feature(flexible(stickiness="sessionId")), sessionId="conversation").flags
    assert document["bucket_by"] == "conversation"
