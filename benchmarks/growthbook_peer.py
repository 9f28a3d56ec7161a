"""GrowthBook's evaluator on the three cases, from features in memory."""

from collections.abc import Sequence
from typing import Any

from growthbook import GrowthBook

from benchmarks.cases import CONDITIONS, COUNTRIES, FOUR_VARIANTS, ROLLOUT, SHARE, VARIANTS, Pass
from flags.context import Context

_BY_KEY = {"hashAttribute": "targetingKey"}
_ROLLOUT = {"force": True, "coverage": SHARE, **_BY_KEY}
_MET = {"plan": "pro", "country": {"$in": list(COUNTRIES)}, "engagement": {"$gt": 0.5}}
_WEIGHTS = [1 / len(VARIANTS)] * len(VARIANTS)

_FEATURES: dict[str, Any] = {
    ROLLOUT: {"defaultValue": False, "rules": [_ROLLOUT]},
    CONDITIONS: {"defaultValue": False, "rules": [{"condition": _MET, **_ROLLOUT}]},
    FOUR_VARIANTS: {
        "defaultValue": VARIANTS[0],
        "rules": [{"variations": list(VARIANTS), "weights": _WEIGHTS, **_BY_KEY}],
    },
}


def growthbook(case: str, contexts: Sequence[Context]) -> Pass:
    """Return its pass over the callers, with one client for all of them, which is its fastest way."""
    client = GrowthBook(features=_FEATURES)

    def once() -> list[object]:
        values: list[object] = []
        for context in contexts:
            client.set_attributes(context)
            values.append(client.get_feature_value(case, None))
        return values

    return once
