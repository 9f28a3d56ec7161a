from typing import Any

import pytest

from app.translate.model import Options
from app.translate.unleash import translate
from tests.app.translate.test_unleash import Document, decided, flexible, limit

REGION = {"id": 3, "name": "Nordic", "constraints": [limit()]}


def state(**more: Any) -> Document:
    """Return a state export in which a feature is for the Nordic in production and for everybody in development."""
    in_production = {"id": "a", "featureName": "checkout", "environment": "production"}
    in_development = {"id": "b", "featureName": "checkout", "environment": "development"}
    rollout = {"groupId": "checkout", "rollout": 100, "stickiness": "default"}
    return {
        "version": 4,
        "features": [{"name": "checkout", "type": "release", "archived": False}],
        "featureStrategies": [
            in_development | {"strategyName": "default", "parameters": {}},
            in_production | {"strategyName": "flexibleRollout", "parameters": rollout},
        ],
        "featureEnvironments": [in_development | {"enabled": True}, in_production | {"enabled": True}],
        "featureStrategySegments": [{"featureStrategyId": "a", "segmentId": 3}],
        "segments": [REGION],
    } | more


def test_of_a_state_export_one_environment_is_told_with_its_strategies_and_their_segments() -> None:
    production = translate(state(), Options(environment="production"))
    assert production.refusals == ()
    assert decided(production, {"country": "NO"}).value is True
    assert decided(production, {"country": "US"}).value is False
    assert decided(translate(state(), Options(environment="development")), {}).value is True


@pytest.mark.parametrize(
    ("environment", "told"),
    [(None, "several environments of this feature (development, production)"), ("test", 'no environment "test"')],
)
def test_an_environment_is_asked_for_by_name_and_never_guessed(environment: str | None, told: str) -> None:
    [refused] = translate(state(), Options(environment=environment)).refusals
    assert refused.place == "$.features[0]"
    assert told in refused.reason


def test_before_its_fourth_version_a_state_export_had_variants_at_the_feature() -> None:
    variants = [{"name": "red", "weight": 1000, "stickiness": "default"}]
    document = state(version=3, features=[{"name": "checkout", "variants": variants}])
    assert decided(translate(document, Options(environment="development")), {}).variant == "red"


def test_an_environment_is_nothing_to_say_of_a_file_that_has_one() -> None:
    [refused] = translate({"version": 2, "features": []}, Options(environment="production")).refusals
    assert (refused.place, "leave --environment out" in refused.reason) == ("$.featureEnvironments", True)


def imported(**more: Any) -> Document:
    """Return a feature in a file for Unleash's own import, which says neither `enabled` nor a version."""
    return {"features": [{"name": "checkout", **more}]}


def test_a_file_for_unleashs_own_import_is_read_as_that_reads_it() -> None:
    with_number = [{"name": "flexibleRollout", "parameters": {"rollout": 100, "stickiness": "tenant"}}]
    on = translate(imported(enabled=True, strategies=with_number), Options())
    assert decided(on, {"tenant": "acme"}).value is True
    [off] = translate(imported(strategies=[{"name": "default"}]), Options()).flags
    assert off["enabled"] is False


def test_what_clients_are_answered_holds_texts_alone() -> None:
    number = {"name": "flexibleRollout", "parameters": {"rollout": 100}}
    document = {"version": 2, "features": [{"name": "checkout", "enabled": True, "strategies": [number]}]}
    [refused] = translate(document, Options()).refusals
    assert refused.place == "$.features[0].strategies[0].parameters.rollout"


def test_the_oldest_form_has_one_strategy_at_the_feature() -> None:
    users = imported(enabled=True, strategy="userWithId", parameters={"userIds": "7"})
    translated = translate(users, Options())
    assert [decided(translated, {"targetingKey": user}).value for user in ("7", "8")] == [True, False]
    [refused] = translate(imported(enabled=True, strategy="ActiveForUserWithEmail"), Options()).refusals
    assert refused.place == "$.features[0].strategy.name"


def test_a_feature_that_says_nothing_of_strategies_is_not_taken_for_one_that_everybody_has() -> None:
    listed = {"version": 1, "features": [{"name": "checkout", "enabled": True, "type": "release"}]}
    [refused] = translate(listed, Options()).refusals
    assert refused.place == "$.features[0].strategies"
    assert "/api/client/features" in refused.reason


@pytest.mark.parametrize(("percentage", "value"), [("0", False), ("100", True)])
def test_chance_that_gives_all_or_none_is_none(percentage: str, value: bool) -> None:
    for strategy in (
        {"name": "gradualRolloutRandom", "parameters": {"percentage": percentage}},
        flexible(percentage, "random"),
    ):
        document = {"version": 2, "features": [{"name": "checkout", "enabled": True, "strategies": [strategy]}]}
        assert decided(translate(document, Options()), {}).value is value
