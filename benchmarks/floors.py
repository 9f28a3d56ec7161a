"""What evaluation cannot be faster than in Python: closures written by hand for one flag each."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from benchmarks.cases import CONDITIONS, COUNTRIES, FOUR_VARIANTS, ROLLOUT, VARIANTS
from flags.bucketing import BUCKETS, digest
from flags.context import Context

Floor = Callable[[Context], object]

_GENERATED = """
def floor(context):
    if context.get("plan") == "pro" and context.get("country") in countries and context.get("engagement") > 0.5:
        return digest(b"conditions/" + context["targetingKey"].encode()) * 100_000 >> 32 < 25_000
    return False
"""


def floors() -> dict[str, dict[str, Floor]]:
    """Return the floors of each case, by how they are made; the fastest counts."""
    return {
        ROLLOUT: {"closure": _rollout(b"rollout/")},
        CONDITIONS: {"nested lambdas": _nested(), "generated code": _generated()},
        FOUR_VARIANTS: {"closure": _four_variants()},
    }


def _rollout(prefix: bytes) -> Floor:
    threshold = 25_000
    return lambda context: digest(prefix + context["targetingKey"].encode()) * BUCKETS >> 32 < threshold


def _nested() -> Floor:
    plan, country, engagement = _is("plan", "pro"), _in("country", frozenset(COUNTRIES)), _over("engagement", 0.5)
    rollout = _rollout(b"conditions/")
    return lambda context: plan(context) and country(context) and engagement(context) and rollout(context)


def _is(attribute: str, value: str) -> Callable[[Context], bool]:
    return lambda context: bool(context.get(attribute) == value)


def _in(attribute: str, values: frozenset[str]) -> Callable[[Context], bool]:
    return lambda context: context.get(attribute) in values


def _over(attribute: str, value: float) -> Callable[[Context], bool]:
    return lambda context: bool(context[attribute] > value)


def _generated() -> Floor:
    names: dict[str, Any] = {"digest": digest, "countries": frozenset(COUNTRIES)}
    exec(_GENERATED, names)  # noqa: S102 - code that is generated is what is measured here, from the constant above
    floor: Floor = names["floor"]
    return floor


def _four_variants() -> Floor:
    prefix, bounds, values = b"four-variants/", (25_000, 50_000, 75_000), VARIANTS
    return lambda context: values[
        bisect_right(bounds, digest(prefix + context["targetingKey"].encode()) * BUCKETS >> 32)
    ]
