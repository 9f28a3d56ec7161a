"""The flags that OFREP is measured with, for the service and for its peer: a rule of three conditions, and a split."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.cases import COUNTRIES

KEYS = [f"flag-{number:03}" for number in range(100)]
ONE = KEYS[0]
VARIANTS: Mapping[str, Any] = {"new": True, "legacy": False}
CONTEXT: Mapping[str, Any] = {"targetingKey": "user-1", "plan": "pro", "country": COUNTRIES[0], "engagement": 0.8}
"""The caller: every condition is met, so that no evaluation ends early."""


def documents() -> Sequence[Mapping[str, Any]]:
    """Return the flags as the service takes them."""
    split = [{"variant": "new", "weight": 50_000}, {"variant": "legacy", "weight": 50_000}]
    conditions = [
        {"attribute": "plan", "op": "eq", "value": "pro"},
        {"attribute": "country", "op": "in", "value": list(COUNTRIES)},
        {"attribute": "engagement", "op": "gt", "value": 0.5},
    ]
    rule = {"name": "engaged", "when": {"all": conditions}, "serve": {"split": split}}
    common = {"variants": VARIANTS, "rules": [rule], "default": {"variant": "legacy"}}
    return [{"key": key, **common} for key in KEYS]


def targeting() -> dict[str, Any]:
    """Return the same rule as JsonLogic."""
    conditions = [
        {"==": [{"var": "plan"}, "pro"]},
        {"in": [{"var": "country"}, list(COUNTRIES)]},
        {">": [{"var": "engagement"}, 0.5]},
    ]
    return {"if": [{"and": conditions}, {"fractional": [["new", 50], ["legacy", 50]]}, "legacy"]}
