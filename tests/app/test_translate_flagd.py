"""flagd's own evaluator and ours give every caller the same: its Python package is the judge."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from app.translate.flagd import translate
from app.translate.model import Options, Translated
from flags.evaluate import evaluate
from flags.model import Flag
from flags.names import Reason
from flags.ruleset import Ruleset
from flags.segment import Segment
from tests.app.flagd_files import Document, callers, files

logging.getLogger("openfeature.contrib").disabled = True

Answer = tuple[str | None, Any]
NOW = 1_750_000_000.5
THE_CODES_OWN: Answer = (None, None)


def judge(document: Document) -> Callable[[str, Document], Answer]:
    """Return what flagd gives: variant and value, or no variant where it leaves the caller to the code's default."""
    core = FlagdCore()
    core.set_flags(json.dumps(document))
    resolve = {bool: core.resolve_boolean_value, str: core.resolve_string_value, dict: core.resolve_object_value}

    def answer(key: str, context: Document) -> Answer:
        kind = type(next(iter(document["flags"][key]["variants"].values())))
        attributes = {name: value for name, value in context.items() if name != "targetingKey"}
        caller = EvaluationContext(context.get("targetingKey"), attributes)
        try:
            given = resolve.get(kind, core.resolve_float_value)(key, kind(), caller)
        except OpenFeatureError as error:
            return f"error: {error}", None
        return THE_CODES_OWN if given.variant is None else (given.variant, given.value)

    return answer


def ours(translated: Translated) -> Callable[[str, Document], Answer]:
    """Return what we give; a caller whom we could not place would be a mistake."""
    rules = Ruleset.of(
        [Flag.model_validate(flag) for flag in translated.flags],
        segments=[Segment.model_validate(segment) for segment in translated.segments],
    )

    def answer(key: str, context: Document) -> Answer:
        decision = evaluate(rules, key, context, NOW)
        assert decision.reason not in {Reason.TARGETING_KEY_MISSING, Reason.INVALID_CONTEXT}, (key, context)
        return THE_CODES_OWN if decision.reason is Reason.DISABLED else (decision.variant, decision.value)

    return answer


def test_flagd_and_we_give_the_same_to_ten_thousand_callers() -> None:
    counted: Counter[str] = Counter()

    @settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
    @given(files, st.integers(0, 2**32))
    def agree(document: Document, chance: int) -> None:
        translated = translate(document, Options())
        theirs, own = judge(document), ours(translated)
        counted["flags"] += len(translated.flags)
        counted["refused"] += len(translated.refusals)
        for flag in translated.flags:
            names = {
                **dict(zip(document["flags"][flag["key"]]["variants"], flag["variants"], strict=False)),
                None: None,
            }
            for caller in callers(Random(chance), 40):
                counted["cases"] += 1
                variant, value = theirs(flag["key"], caller)
                told = (document["flags"][flag["key"]], caller)
                assert own(flag["key"], caller) == (names.get(variant or "", variant), value), told

    while counted["cases"] < 10_000:
        agree()
    assert counted["flags"] > counted["refused"], counted
