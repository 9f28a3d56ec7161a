"""flagd's operators on constants: what is known when the file is read is calculated then."""

import operator
from collections.abc import Callable, Mapping, Sequence
from math import nan, prod

from pydantic import JsonValue

from app.translate.flagd_values import (
    ORDERS,
    CannotSayError,
    Number,
    Order,
    are_equal,
    are_ordered,
    as_number,
    as_text,
    is_in,
)

Calculation = Callable[[Sequence[JsonValue]], JsonValue]


def _of_two(calculate: Callable[[JsonValue, JsonValue], JsonValue]) -> Calculation:
    def calculated(operands: Sequence[JsonValue]) -> JsonValue:
        one, other = [*operands, None, None][:2]
        return calculate(one, other)

    return calculated


def _ratio(divide: Callable[[Number, Number], Number]) -> Calculation:
    def divided(one: JsonValue, other: JsonValue) -> JsonValue:
        if as_number(other) == 0:
            raise CannotSayError("This divides by zero: flagd answers with an error.")
        return divide(as_number(one), as_number(other))

    return _of_two(divided)


def _ordered(order: Order) -> Calculation:
    def ordered(operands: Sequence[JsonValue]) -> JsonValue:
        first, second, third = [*operands, None, None, None][:3]
        return are_ordered(order, first, second) and (third is None or are_ordered(order, second, third))

    return ordered


def _minus(one: JsonValue, other: JsonValue) -> JsonValue:
    return -as_number(one) if other is None else as_number(one) - as_number(other)


def _merged(operands: Sequence[JsonValue]) -> JsonValue:
    return [item for operand in operands for item in (operand if isinstance(operand, list) else [operand])]


CALCULATIONS: Mapping[str, Calculation] = {
    "==": _of_two(are_equal),
    "!=": _of_two(lambda one, other: not are_equal(one, other)),
    "===": _of_two(operator.eq),
    "!==": _of_two(operator.ne),
    **{sign: _ordered(order) for sign, order in ORDERS.items()},
    "+": lambda operands: sum(as_number(each) for each in operands),
    "*": lambda operands: prod(as_number(each) for each in operands),
    "-": _of_two(_minus),
    "/": _ratio(operator.truediv),
    "%": _ratio(operator.mod),
    "min": lambda operands: min((as_number(each) for each in operands), default=nan),
    "max": lambda operands: max((as_number(each) for each in operands), default=nan),
    "in": _of_two(is_in),
    "cat": lambda operands: "".join(as_text(each) for each in operands),
    "merge": _merged,
}
"""What each operator makes of the values of its operands, in their order; those left out are null."""
