"""Conditions compiled to total functions of the context.

A missing or null attribute satisfies no operator but `exists: false`; `not` gives the opposite of anything.
Values of different JSON types are never equal and have no order (1 and 1.0 are both numbers, true is not one).
Strings are ordered by code point.
"""

import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import JsonValue

from .bucketing import bucket_of
from .conditions import All, AnyOf, Buckets, Compare, Condition, InBuckets, InSegment, Not, Operator
from .context import Context, InvalidKeyError, unit_key

Predicate = Callable[[Context], bool]


def predicate(condition: Condition, segments: Mapping[str, Predicate]) -> Predicate:
    """Compile the condition over segments that are compiled already; nobody is in one that is unknown."""
    match condition:
        case Compare():
            return _OPERATORS[condition.op](condition.attribute, condition.value)
        case All():
            return _all_of(tuple(predicate(inner, segments) for inner in condition.conditions))
        case AnyOf():
            return _any_of(tuple(predicate(inner, segments) for inner in condition.conditions))
        case Not():
            return _negated(predicate(condition.condition, segments))
        case InSegment():
            return segments.get(condition.segment, _nobody)
        case InBuckets():
            return _in_buckets(condition.buckets)


def _nobody(_context: Context) -> bool:
    return False


def _in_buckets(buckets: Buckets) -> Predicate:
    by, salt, places = buckets.by, buckets.salt, range(buckets.from_, buckets.to)

    def holds(context: Context) -> bool:
        try:
            key = next((key for attribute in by if (key := unit_key(context, attribute)) is not None), None)
            return key is not None and bucket_of(salt, key) in places
        except (InvalidKeyError, UnicodeEncodeError):
            return False

    return holds


def _all_of(predicates: tuple[Predicate, ...]) -> Predicate:
    def holds(context: Context) -> bool:
        for each in predicates:  # noqa: SIM110 - all() over a generator costs twice as much on the hot path
            if not each(context):
                return False
        return True

    return holds


def _any_of(predicates: tuple[Predicate, ...]) -> Predicate:
    def holds(context: Context) -> bool:
        for each in predicates:  # noqa: SIM110 - any() over a generator costs twice as much on the hot path
            if each(context):
                return True
        return False

    return holds


def _negated(inner: Predicate) -> Predicate:
    return lambda context: not inner(context)


def _equals(attribute: str, value: JsonValue) -> Predicate:
    if isinstance(value, bool):
        return lambda context: context.get(attribute) is value
    if isinstance(value, str):
        return lambda context: type(given := context.get(attribute)) is str and given == value
    return lambda context: type(given := context.get(attribute)) is not bool and given == value


def _present_but_not(attribute: str, matches: Predicate) -> Predicate:
    return lambda context: context.get(attribute) is not None and not matches(context)


def _member(attribute: str, values: list[JsonValue]) -> Predicate:
    booleans = frozenset(item for item in values if isinstance(item, bool))
    texts = frozenset(item for item in values if isinstance(item, str))
    numbers = frozenset(item for item in values if isinstance(item, int | float) and not isinstance(item, bool))
    by_type: dict[type, frozenset[Any]] = {bool: booleans, str: texts, int: numbers, float: numbers}

    def holds(context: Context) -> bool:
        given = context.get(attribute)
        candidates = by_type.get(type(given))
        return candidates is not None and given in candidates

    return holds


def _contains(attribute: str, value: JsonValue) -> Predicate:
    is_boolean = isinstance(value, bool)

    def holds(context: Context) -> bool:
        given = context.get(attribute)
        if type(given) is str:
            return isinstance(value, str) and value in given
        return type(given) is list and any(item == value and (type(item) is bool) is is_boolean for item in given)

    return holds


def _ordered(compare: Callable[[Any, Any], bool], attribute: str, value: JsonValue) -> Predicate:
    kinds = (str,) if isinstance(value, str) else (int, float)
    return lambda context: type(given := context.get(attribute)) in kinds and compare(given, value)


def _starts_with(attribute: str, value: Any) -> Predicate:
    return lambda context: type(given := context.get(attribute)) is str and given.startswith(value)


def _ends_with(attribute: str, value: Any) -> Predicate:
    return lambda context: type(given := context.get(attribute)) is str and given.endswith(value)


def _exists(attribute: str, value: Any) -> Predicate:
    return lambda context: (context.get(attribute) is not None) is value


# one closure for a comparison, not one around another: each call is a tenth of what three conditions cost
_OPERATORS: dict[Operator, Callable[[str, Any], Predicate]] = {
    Operator.EQ: _equals,
    Operator.NE: lambda attribute, value: _present_but_not(attribute, _equals(attribute, value)),
    Operator.IN: _member,
    Operator.NOT_IN: lambda attribute, value: _present_but_not(attribute, _member(attribute, value)),
    Operator.GT: partial(_ordered, operator.gt),
    Operator.GTE: partial(_ordered, operator.ge),
    Operator.LT: partial(_ordered, operator.lt),
    Operator.LTE: partial(_ordered, operator.le),
    Operator.CONTAINS: _contains,
    Operator.STARTS_WITH: _starts_with,
    Operator.ENDS_WITH: _ends_with,
    Operator.EXISTS: _exists,
}
