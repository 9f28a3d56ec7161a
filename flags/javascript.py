"""Who a caller is where JavaScript reads the key: GrowthBook hashes numbers as JavaScript writes them."""

from collections.abc import Sequence
from decimal import Decimal

from .context import MAX_KEY_LENGTH, Context, InvalidKeyError, attribute_in

WHOLE_BELOW = 2**53
"""Integers that are as exact in JavaScript as here."""

_LEAST, _GREATEST = -6, 21
"""Between these powers of ten JavaScript writes a number without an exponent."""


def first_key(context: Context, attributes: Sequence[str]) -> str | None:
    """Return the key in the first of the attributes that has one, None when none has. Raises InvalidKeyError."""
    for attribute in attributes:
        key = key_in(attribute_in(context, attribute))
        if key is not None:
            return key
    return None


def key_in(value: object) -> str | None:
    """Return the key that a value is: text that is not empty, or a number, finite and not 0; None for all else.

    Raises InvalidKeyError for text that would take long to hash.
    """
    if isinstance(value, str):
        if len(value) > MAX_KEY_LENGTH:
            raise InvalidKeyError(f"a key may have {MAX_KEY_LENGTH} characters at most")
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
        return None
    return str(value) if isinstance(value, int) and -WHOLE_BELOW < value < WHOLE_BELOW else _number(value)


def _number(value: float) -> str | None:
    try:
        number = Decimal(repr(float(value)))
    except OverflowError:
        return None
    return _written(number) if number.is_finite() else None


def _written(number: Decimal) -> str:
    """Write a number as ECMAScript's Number::toString does (ECMA-262, 6.1.6.1.20)."""
    sign, every_digit, exponent = number.as_tuple()
    digits = "".join(map(str, every_digit)).lstrip("0")
    point = len(digits) + int(exponent)
    digits = digits.rstrip("0")
    return "-" * sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= _GREATEST:
        return digits.ljust(point, "0")
    if 0 < point <= _GREATEST:
        return f"{digits[:point]}.{digits[point:]}"
    if _LEAST < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
