"""Unleash's own engine, as its client from PyPI has it, against what we make of its features."""

import json
from collections import Counter
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yggdrasil_engine.engine import UnleashEngine

from app.translate.model import Options
from app.translate.unleash import translate
from flags.decision import Decision
from flags.evaluate import evaluate
from flags.model import Flag
from flags.ruleset import Ruleset
from flags.segment import Segment
from tests.app.translate.unleash_made import OWN_FIELDS, client_features, context_of, state_export

Document = dict[str, Any]
Answer = tuple[bool, str, Any]
"""Whether a caller has the feature, the name of the variant, and its payload."""

CASES = 10_000
CONTEXTS = 100
MOST_ROUNDS = 5
NOW = 1_800_000_000.0
NO_VARIANT = "disabled"


def test_ten_thousand_callers_get_from_flags_what_they_get_from_unleash() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
    @given(client_features(), st.integers(0, 2**32))
    def agrees(document: Document, seed: int) -> None:
        seen.update(_compared(document, Random(seed)))

    for _ in range(MOST_ROUNDS):
        agrees()
        if _are_enough(seen):
            break
    assert _are_enough(seen), seen


def _are_enough(seen: Counter[str]) -> bool:
    """Say whether so many were compared, among them callers that have the feature and ones with a variant of it."""
    return seen["cases"] >= CASES and seen["on"] >= CASES // 10 and seen["variant"] >= CASES // 20


def _compared(document: Document, chance: Random) -> Counter[str]:
    engine = UnleashEngine()
    engine.take_state(json.dumps(document))
    translated = translate(document, Options())
    exported = translate(state_export(document, "production"), Options(environment="production"))
    assert (exported.flags, exported.segments) == (translated.flags, translated.segments)
    ruleset = Ruleset.of(
        map(Flag.model_validate, translated.flags), segments=map(Segment.model_validate, translated.segments)
    )
    features = {feature["name"]: feature for feature in document["features"]}
    counted: Counter[str] = Counter()
    for caller in (context_of(chance) for _ in range(CONTEXTS)):
        theirs, ours = _their_context(caller), _our_context(caller)
        for flag in translated.flags:
            if _by_chance(features, str(flag["key"]), caller):
                continue
            feature = features[str(flag["key"])]
            expected = _asked(engine, feature["name"], theirs)
            given = _told(flag, _names(feature), evaluate(ruleset, feature["name"], ours, NOW))
            assert given == expected, (feature, flag, caller)
            counted.update(cases=1, on=expected[0], variant=expected[1] != NO_VARIANT)
    return counted


def _their_context(caller: Document) -> Document:
    texts = {field: str(value) for field, value in caller.items()}
    own = {field: text for field, text in texts.items() if field in OWN_FIELDS}
    return own | {"properties": {field: text for field, text in texts.items() if field not in OWN_FIELDS}}


def _our_context(caller: Document) -> Document:
    return {"targetingKey" if field == "userId" else field: value for field, value in caller.items()}


def _asked(engine: UnleashEngine, feature: str, context: Document) -> Answer:
    variant = engine.check_variant(feature, context).variant
    assert engine.check_enabled(feature, context).is_enabled == variant.feature_enabled
    return variant.feature_enabled, variant.name, _read(variant.payload) if variant.enabled else None


def _read(payload: dict[str, str] | None) -> Any:
    if payload is None:
        return None
    return json.loads(payload["value"]) if payload["type"] in {"json", "number"} else payload["value"]


def _told(flag: Document, named: set[str], decision: Decision) -> Answer:
    if decision.variant == flag["off_variant"]:
        return False, NO_VARIANT, None
    if decision.variant not in named:
        return True, NO_VARIANT, None
    value: Any = decision.value
    if isinstance(value, dict) and {*value} == {"name", "payload"}:
        value = value["payload"]
    return True, decision.variant, None if value == decision.variant else value


def _names(feature: Document) -> set[str]:
    """Return the names of all variants of a feature, those of its strategies too."""
    lists = [feature["variants"], *(each.get("variants", ()) for each in feature["strategies"])]
    return {variant["name"] for variants in lists for variant in variants}


def _by_chance(features: dict[str, Document], name: str, caller: Document) -> bool:
    """Say whether Unleash throws dice for the caller, who has no key to be hashed by."""
    feature = features[name]
    parents = [each["feature"] for each in feature.get("dependencies", ()) if each["feature"] in features]
    if any(_by_chance(features, parent, caller) for parent in parents):
        return True
    strategies = feature["strategies"]
    return any(_rolls(each, caller) for each in strategies) or any(
        len(variants) > 1 and not _has_key(stickiness, caller)
        for variants, stickiness in (
            (feature["variants"], feature["variants"][0]["stickiness"] if feature["variants"] else "default"),
            *((each.get("variants", ()), each["parameters"].get("stickiness", "default")) for each in strategies),
        )
    )


def _rolls(strategy: Document, caller: Document) -> bool:
    given = strategy["parameters"]
    return (
        strategy["name"] == "flexibleRollout"
        and given["stickiness"] == "default"
        and given["rollout"] not in {"0", "100"}
        and not _has_key("default", caller)
    )


def _has_key(stickiness: str, caller: Document) -> bool:
    return bool({"userId", "sessionId"} & {*caller}) if stickiness == "default" else stickiness in caller
