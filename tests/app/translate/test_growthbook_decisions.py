"""Translated features against GrowthBook's own SDK."""

import json
from typing import Any

from growthbook import GrowthBook
from hypothesis import given, seed, settings

from app.translate.growthbook import translate
from app.translate.model import Options, Translated
from flags.evaluate import evaluate
from flags.model import Flag
from flags.ruleset import Ruleset
from flags.segment import Segment
from tests.app.translate.growthbook_payloads import Document, crowds, payloads

CASES = 10_000
OFF = (False, 0, "")


def ruleset_of(translated: Translated) -> Ruleset:
    flags = [Flag.model_validate(flag) for flag in translated.flags]
    return Ruleset.of(flags, segments=[Segment.model_validate(segment) for segment in translated.segments])


def decided(ruleset: Ruleset, key: str, caller: Document) -> Any:
    context = {"targetingKey" if name == "id" else name: value for name, value in caller.items()}
    return evaluate(ruleset, key, context, 0.0).value


def differences(payload: Document, crowd: list[Document]) -> tuple[int, list[Any]]:
    """Return how many values were compared, and the cases of those that differ."""
    translated = translate(payload, Options())
    ruleset = ruleset_of(translated)
    theirs = GrowthBook(features=payload["features"], savedGroups=payload["savedGroups"])
    cases, found = 0, []
    for caller in crowd:
        theirs.set_attributes(caller)
        for flag in translated.flags:
            key = str(flag["key"])
            result, ours = theirs.eval_feature(key), decided(ruleset, key, caller)
            is_closed = result.source == "prerequisite"
            wanted = False if is_closed else result.value
            cases += 1
            if json.dumps(ours) != json.dumps(wanted) or (ours not in OFF) is not result.on:
                found.append((key, payload["features"][key], flag, caller, wanted, ours))
    theirs.destroy()
    return cases, found


def test_translated_features_give_what_growthbook_gives() -> None:
    compared = 0

    @seed(1)
    @settings(deadline=None, max_examples=140, database=None)
    @given(payloads(), crowds)
    def gives_the_same(payload: Document, crowd: list[Document]) -> None:
        nonlocal compared
        cases, found = differences(payload, crowd)
        compared += cases
        assert not found, found[0]

    gives_the_same()
    assert compared >= CASES
