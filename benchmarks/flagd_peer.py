"""flagd's evaluator for Python, in the thinnest provider there can be, with the flags of the local benchmark."""

from collections.abc import Mapping
from typing import Any

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import AbstractProvider, Metadata

from benchmarks.cases import COUNTRIES

_VARIANTS = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
_SPLIT = {"fractional": [["on", 25], ["off", 75]]}
_PRO = {"==": [{"var": "plan"}, "pro"]}
_ENGAGED = {">": [{"var": "engagement"}, 0.5]}
_ABROAD = {"in": [{"var": "country"}, list(COUNTRIES)]}
_MANY = [
    {"ends_with": [{"var": "email"}, "@example.com"]},
    "on",
    {"and": [_ABROAD, {"==": [{"var": "plan"}, "enterprise"]}]},
    "on",
    {"==": [{"var": "beta"}, True]},
    "on",
    {"and": [_PRO, _ENGAGED]},
    _SPLIT,
    "off",
]

FLAGS: Mapping[str, Any] = {
    "static": {**_VARIANTS, "defaultVariant": "on"},
    "rule": {**_VARIANTS, "targeting": {"if": [_PRO, "on", "off"]}},
    "split": {**_VARIANTS, "targeting": _SPLIT},
    "rule-and-split": {**_VARIANTS, "targeting": {"if": [{"and": [_PRO, _ABROAD, _ENGAGED]}, _SPLIT, "off"]}},
    "four-rules": {**_VARIANTS, "targeting": {"if": _MANY}},
}


class Only(AbstractProvider):
    """A provider of booleans; flags of other types are not asked for."""

    def get_metadata(self) -> Metadata:
        """Return a name."""
        return _METADATA

    def resolve_string_details(self, *_: Any, **__: Any) -> FlagResolutionDetails[str]:
        """Refuse."""
        raise NotImplementedError

    def resolve_integer_details(self, *_: Any, **__: Any) -> FlagResolutionDetails[int]:
        """Refuse."""
        raise NotImplementedError

    def resolve_float_details(self, *_: Any, **__: Any) -> FlagResolutionDetails[float]:
        """Refuse."""
        raise NotImplementedError

    def resolve_object_details(self, *_: Any, **__: Any) -> FlagResolutionDetails[Any]:
        """Refuse."""
        raise NotImplementedError


class Flagd(Only):
    """Hands every question to flagd's evaluator."""

    def __init__(self) -> None:
        super().__init__()
        self._core = FlagdCore()
        self._core.set_flags({"flags": {**FLAGS}})

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Evaluate a flag."""
        return self._core.resolve_boolean_value(flag_key, default_value, evaluation_context)


_METADATA = Metadata("benchmark")
