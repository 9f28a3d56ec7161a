"""How flagd's Python evaluator reads plain JSON values: as numbers, as text, as true or false.

Its JsonLogic is panzi-json-logic, which follows JavaScript but for a few habits of Python: 1 and 1.0 and true are
equal, text is read as `float` reads it, and true as text is `True`.
"""

import operator
from collections.abc import Callable, Mapping
from math import isnan, nan
from typing import Any

from pydantic import JsonValue

Number = int | float
Order = Callable[[Any, Any], bool]

ORDERS: Mapping[str, Order] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class CannotSayError(Exception):
    """Something that has no exact counterpart here; whoever knows the place in the file adds it."""


def as_number(value: JsonValue) -> Number:
    """Return what arithmetic and comparisons with numbers take the value for; NaN for what is none."""
    match value:
        case bool() | int() | float():
            return value
        case None | []:
            return 0
        case [one]:
            return as_number(one)
        case str():
            return _read(value)
    return nan


def _read(text: str) -> Number:
    if text.strip().lower() in {"inf", "-inf", "+inf"}:
        return nan
    try:
        return float(text)
    except ValueError:
        return nan


def as_text(value: JsonValue) -> str:
    """Return what `cat` makes of the value."""
    match value:
        case str():
            return value
        case float():
            return f"{value:.15g}"
        case int():
            return str(value)
        case None:
            return "null"
        case list():
            return ",".join(as_text(item) for item in value)
    return "[object Object]"


def is_truthy(value: JsonValue) -> bool:
    """Say whether an `if` takes the value for true: an empty object is, an empty list is not."""
    if isinstance(value, float) and isnan(value):
        return False
    return isinstance(value, dict) or bool(value)


def are_equal(one: JsonValue, other: JsonValue) -> bool:
    """Answer `==`: values of different types are compared as numbers where one of them is a number or boolean."""
    if isinstance(one, list | dict) and isinstance(other, list | dict):
        return False
    if isinstance(one, int | float) or isinstance(other, int | float):
        return as_number(one) == as_number(other)
    if one is None or other is None:
        return one is other
    return as_text(one) == as_text(other)


def are_ordered(order: Order, one: JsonValue, other: JsonValue) -> bool:
    """Answer `<` and its like: as text where text meets what is no number, as numbers otherwise."""
    has_number = isinstance(one, int | float) or isinstance(other, int | float)
    if not has_number and (isinstance(one, str) or isinstance(other, str)):
        return order(as_text(one), as_text(other))
    return order(as_number(one), as_number(other))


def is_in(needle: JsonValue, haystack: JsonValue) -> bool:
    """Answer `in`: an item of a list, or a part of a text."""
    if isinstance(haystack, list):
        return needle in haystack
    return isinstance(haystack, str) and as_text(needle) in haystack
