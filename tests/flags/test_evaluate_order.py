"""Kill, enabled, prerequisites, targets, rules, default: each wins over all that come after it."""

from typing import Any

import pytest

from flags.evaluate import evaluate, trace
from flags.model import Flag
from flags.names import Reason
from flags.ruleset import Ruleset
from tests.flags.overlay import killing

EVERYONE = {"attribute": "nobody-has-this", "op": "exists", "value": False}
CALLER = {"targetingKey": "user-1"}
BASE = Flag.model_validate({"key": "base", "default": {"variant": "on"}})

# what makes each reason come about, in the order of precedence, last first
LAYERS: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.DEFAULT, {"default": {"variant": "on"}}),
    (Reason.RULE_MATCH, {"rules": [{"name": "all", "when": EVERYONE, "serve": {"variant": "on"}}]}),
    (Reason.TARGET_MATCH, {"targets": [{"variant": "on", "keys": ["user-1"]}]}),
    (Reason.PREREQUISITE_FAILED, {"prerequisites": [{"flag": "base", "variants": ["off"]}]}),
    (Reason.DISABLED, {"enabled": False}),
]


@pytest.mark.parametrize("top", range(len(LAYERS)), ids=lambda top: str(LAYERS[top][0]))
def test_each_layer_wins_over_those_below(top: int) -> None:
    document: dict[str, Any] = {"key": "x"}
    for _, fields in LAYERS[: top + 1]:
        document |= fields
    ruleset = Ruleset.of([BASE, Flag.model_validate(document)])
    assert evaluate(ruleset, "x", CALLER, 0.0).reason is LAYERS[top][0]


@pytest.mark.parametrize("context", [CALLER, {}, None, [], "user-1"])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_kill_wins_over_everything(enabled: bool, context: Any) -> None:
    document: dict[str, Any] = {"key": "x"}
    for _, fields in LAYERS:
        document |= fields
    ruleset = Ruleset.of([BASE, Flag.model_validate(document | {"enabled": enabled})], killing(["flag:x"]))
    decision = evaluate(ruleset, "x", context, 0.0)
    assert (decision.reason, decision.variant, decision.value) == (Reason.KILLED, "off", False)
    assert [each.step for each in trace(ruleset, "x", context, 0.0)] == ["kill"]


@pytest.mark.parametrize("context", [{}, None, 7, [1]])
def test_a_disabled_flag_is_disabled_for_a_bad_context_too(context: Any) -> None:
    ruleset = Ruleset.of([Flag.model_validate({"key": "x", "enabled": False})])
    assert evaluate(ruleset, "x", context, 0.0).reason is Reason.DISABLED
    assert [each.step for each in trace(ruleset, "x", context, 0.0)] == ["enabled"]


def test_a_context_that_is_no_object_is_judged_before_any_step() -> None:
    ruleset = Ruleset.of([Flag.model_validate({"key": "x", "prerequisites": [{"flag": "gone", "variants": ["on"]}]})])
    nothing: Any = None
    assert evaluate(ruleset, "x", nothing, 0.0).reason is Reason.INVALID_CONTEXT
    assert [each.step for each in trace(ruleset, "x", nothing, 0.0)] == ["context"]


def test_the_first_rule_that_matches_wins() -> None:
    rules = [
        {"name": "never", "when": {"not": EVERYONE}, "serve": {"variant": "off"}},
        {"name": "first", "when": EVERYONE, "serve": {"variant": "on"}},
        {"name": "second", "when": EVERYONE, "serve": {"variant": "off"}},
    ]
    ruleset = Ruleset.of([Flag.model_validate({"key": "x", "rules": rules})])
    assert evaluate(ruleset, "x", CALLER, 0.0).rule == "first"
    steps = [(each.step, each.decided) for each in trace(ruleset, "x", CALLER, 0.0)]
    assert steps == [("rule never", False), ("rule first", True)]


def test_the_trace_names_every_step_by_what_it_is_in_the_document() -> None:
    document = {
        "key": "x",
        "prerequisites": [{"flag": "base", "variants": ["on"]}],
        "targets": [{"variant": "on", "keys": ["someone-else"]}],
        "rules": [{"name": "never", "when": {"not": EVERYONE}, "serve": {"variant": "on"}}],
    }
    ruleset = Ruleset.of([BASE, Flag.model_validate(document)])
    steps = [each.step for each in trace(ruleset, "x", CALLER, 0.0)]
    assert steps == ["prerequisite base", "targets", "rule never", "default"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("user-1", Reason.SPLIT),
        (42, Reason.SPLIT),
        ("x" * 1024, Reason.SPLIT),
        (None, Reason.TARGETING_KEY_MISSING),
        ("", Reason.TARGETING_KEY_MISSING),
        ("x" * 1025, Reason.INVALID_CONTEXT),
        ("\ud800", Reason.INVALID_CONTEXT),
        (True, Reason.INVALID_CONTEXT),
        (1.0, Reason.INVALID_CONTEXT),
        (float("nan"), Reason.INVALID_CONTEXT),
        (2**64 - 1, Reason.SPLIT),
        (2**64, Reason.INVALID_CONTEXT),
        (-(2**63) - 1, Reason.INVALID_CONTEXT),
        (["user-1"], Reason.INVALID_CONTEXT),
        ({"id": "user-1"}, Reason.INVALID_CONTEXT),
    ],
    ids=repr,
)
def test_a_split_needs_a_key_it_can_hash(key: object, reason: Reason) -> None:
    ruleset = Ruleset.of([Flag.model_validate({"key": "x", "bucket_by": "tenant"})])
    decision = evaluate(ruleset, "x", {"targetingKey": "user-1", "tenant": key}, 0.0)
    assert decision.reason is reason
    assert decision.variant == "off"
    assert (decision.bucket is not None) == (reason is Reason.SPLIT)


def test_an_integer_and_its_decimals_are_one_caller() -> None:
    document = {"key": "x", "targets": [{"variant": "on", "keys": ["42"]}]}
    ruleset = Ruleset.of([Flag.model_validate({"key": "y"}), Flag.model_validate(document)])
    assert evaluate(ruleset, "x", {"targetingKey": 42}, 0.0).reason is Reason.TARGET_MATCH
    assert evaluate(ruleset, "y", {"targetingKey": 42}, 0.0) == evaluate(ruleset, "y", {"targetingKey": "42"}, 0.0)
