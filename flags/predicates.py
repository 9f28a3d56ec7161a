"""Conditions compiled to total functions of the context.

A missing or null attribute satisfies no operator but `exists: false`; `not` gives the opposite of anything.
Values of different JSON types are never equal and have no order (1 and 1.0 are both numbers, true is not one).
Strings are ordered by code point.
"""

import operator
from collections.abc import Callable
from typing import Any

from pydantic import JsonValue

from .conditions import All, AnyOf, Compare, Condition, Not, Operator
from .context import Context

Predicate = Callable[[Context], bool]

_Test = Callable[[Any], bool]


def predicate(condition: Condition) -> Predicate:
    """Compile the condition."""
    match condition:
        case All():
            return _all_of(tuple(predicate(inner) for inner in condition.conditions))
        case AnyOf():
            return _any_of(tuple(predicate(inner) for inner in condition.conditions))
        case Not():
            return _negated(predicate(condition.condition))
        case Compare():
            return _on_attribute(condition.attribute, _TESTS[condition.op](condition.value))


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


def _on_attribute(attribute: str, test: _Test) -> Predicate:
    return lambda context: test(context.get(attribute))


def _equals(value: JsonValue) -> _Test:
    if isinstance(value, bool):
        return lambda given: given is value
    if isinstance(value, str):
        return lambda given: type(given) is str and given == value
    return lambda given: type(given) is not bool and given == value


def _present_but_not(test: _Test) -> _Test:
    return lambda given: given is not None and not test(given)


def _member(values: list[JsonValue]) -> _Test:
    booleans = frozenset(item for item in values if isinstance(item, bool))
    texts = frozenset(item for item in values if isinstance(item, str))
    numbers = frozenset(item for item in values if isinstance(item, int | float) and not isinstance(item, bool))
    by_type: dict[type, frozenset[Any]] = {bool: booleans, str: texts, int: numbers, float: numbers}
    nothing: frozenset[Any] = frozenset()

    def holds(given: Any) -> bool:
        candidates = by_type.get(type(given), nothing)
        return bool(candidates) and given in candidates

    return holds


def _contains(value: JsonValue) -> _Test:
    equals = _equals(value)

    def holds(given: Any) -> bool:
        if type(given) is str:
            return isinstance(value, str) and value in given
        return type(given) is list and any(equals(item) for item in given)

    return holds


def _ordered(compare: Callable[[Any, Any], bool], value: JsonValue) -> _Test:
    kinds = (str,) if isinstance(value, str) else (int, float)
    return lambda given: type(given) in kinds and compare(given, value)


def _starts_with(value: Any) -> _Test:
    return lambda given: type(given) is str and given.startswith(value)


def _ends_with(value: Any) -> _Test:
    return lambda given: type(given) is str and given.endswith(value)


def _exists(value: Any) -> _Test:
    return lambda given: (given is not None) is value


_TESTS: dict[Operator, Callable[[Any], _Test]] = {
    Operator.EQ: _equals,
    Operator.NE: lambda value: _present_but_not(_equals(value)),
    Operator.IN: _member,
    Operator.NOT_IN: lambda value: _present_but_not(_member(value)),
    Operator.GT: lambda value: _ordered(operator.gt, value),
    Operator.GTE: lambda value: _ordered(operator.ge, value),
    Operator.LT: lambda value: _ordered(operator.lt, value),
    Operator.LTE: lambda value: _ordered(operator.le, value),
    Operator.CONTAINS: _contains,
    Operator.STARTS_WITH: _starts_with,
    Operator.ENDS_WITH: _ends_with,
    Operator.EXISTS: _exists,
}
