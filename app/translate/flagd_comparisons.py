"""An attribute against a constant, as flagd's JsonLogic compares them: which callers it holds for.

flagd coerces: text that reads as a number is one, true is 1, and a missing attribute is 0. Each of these becomes a
comparison of its own, so that nothing is coerced that was not.
"""

from collections.abc import Callable
from math import ceil, floor, isinf, isnan

from pydantic import JsonValue

from app.translate.flagd_conditions import compare, is_missing, is_text
from app.translate.flagd_values import ORDERS, CannotSayError, Number, Order, are_ordered, as_number, as_text
from app.translate.logic import When, every, opposite, some

NOW = "$now"
_OPS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def is_truthy(attribute: str) -> When:
    """Return what holds for callers whose attribute an `if` takes for true."""
    return every((compare(attribute, "not_in", [False, 0, ""]), opposite(compare(attribute, "eq", []))))


def is_filled(attribute: str) -> When:
    """Return what holds for callers with a text in the attribute that is not empty."""
    return compare(attribute, "gt", "")


def equals(attribute: str, value: JsonValue) -> When:
    """Answer `==`."""
    number = _finite(as_number(value))
    match value:
        case None:
            return some((is_missing(attribute), compare(attribute, "in", [0, False])))
        case str():
            same: list[JsonValue] = [value] if number is None else [value, number, *_booleans(number)]
            return compare(attribute, "eq", value) if number is None else compare(attribute, "in", same)
        case bool() | int() | float():
            return _as_number(attribute, "eq", value, lambda given: given == value)
    raise CannotSayError("A list or an object is compared with ==.")


def is_identical(attribute: str, value: JsonValue) -> When:
    """Answer `===`, to which 1 and true are the same as they are to Python."""
    match value:
        case None:
            return is_missing(attribute)
        case str():
            return compare(attribute, "eq", value)
        case bool() | int() | float():
            return _one_of(attribute, [value])
    raise CannotSayError("A list or an object is compared with ===.")


def ordered(attribute: str, sign: str, value: JsonValue) -> When:
    """Answer `attribute < value` and its like."""
    order = ORDERS[sign]
    match value:
        case str():
            number = _finite(as_number(value))
            as_it_is = compare(attribute, _OPS[sign], value)
            missing = is_missing(attribute) if are_ordered(order, None, value) else False
            if number is None:
                return some((as_it_is, missing))
            return some((as_it_is, compare(attribute, _OPS[sign], number), _boolean(attribute, order, number), missing))
        case bool() | int() | float():
            return _as_number(attribute, _OPS[sign], value, lambda given: order(given, value))
    raise CannotSayError(f"Null, a list or an object is compared with {sign}.")


def now_is(sign: str, value: JsonValue) -> When:
    """Answer a comparison with flagd's timestamp, which is the time cut down to whole seconds."""
    number = _finite(as_number(value))
    if number is None:
        return sign == "!="
    begun, over = compare(NOW, "gte", ceil(number)), compare(NOW, "gte", floor(number) + 1)
    match sign:
        case "<":
            return opposite(begun)
        case "<=":
            return opposite(over)
        case ">":
            return over
        case ">=":
            return begun
    second = every((begun, opposite(over)))
    return second if sign == "==" else opposite(second)


def is_one_of(attribute: str, values: list[JsonValue]) -> When:
    """Answer `in` with a list."""
    if any(isinstance(value, list | dict) for value in values):
        raise CannotSayError("A list holds a list or an object to compare with.")
    missing = is_missing(attribute) if None in values else False
    return some((_one_of(attribute, [value for value in values if value is not None]), missing))


def contains(attribute: str, needle: JsonValue) -> When:
    """Answer `in` with the attribute as the list or text that is searched."""
    match needle:
        case str():
            return compare(attribute, "contains", needle)
        case bool() | int() | float():
            items = (compare(attribute, "contains", item) for item in _alike(needle))
            return some([*items, every((is_text(attribute), compare(attribute, "contains", as_text(needle))))])
    raise CannotSayError("Null, a list or an object is looked for in an attribute.")


def _one_of(attribute: str, values: list[JsonValue]) -> When:
    alike = [item for value in values for item in _alike(value)]
    if not alike:
        return False
    return compare(attribute, "in", alike) if len(alike) > 1 else compare(attribute, "eq", alike[0])


def _alike(value: JsonValue) -> list[JsonValue]:
    """Return the values of other types that Python takes for the same."""
    if isinstance(value, bool):
        return [value, int(value)]
    if isinstance(value, int | float):
        return [value, *_booleans(value)]
    return [value]


def _as_number(attribute: str, op: str, value: Number, holds: Callable[[Number], bool]) -> When:
    missing = is_missing(attribute) if holds(0) else False
    booleans = [each for each in (True, False) if holds(each)]
    return some(
        (
            compare(attribute, op, int(value) if isinstance(value, bool) else value, "number"),
            compare(attribute, "in", [*booleans]) if booleans else False,
            missing,
        )
    )


def _boolean(attribute: str, order: Order, value: Number) -> When:
    booleans: list[JsonValue] = [each for each in (True, False) if order(each, value)]
    return compare(attribute, "in", booleans) if booleans else False


def _booleans(number: Number) -> list[bool]:
    return [each for each in (True, False) if each == number]


def _finite(number: Number) -> Number | None:
    if isinf(number):
        raise CannotSayError("A number is too large to be one.")
    if isnan(number):
        return None
    return int(number) if number == int(number) else number
