"""An attribute read as a number or as text before it is compared, for callers that send all as strings, say."""

import re
from math import isfinite
from typing import Literal

from .context import LARGEST, SMALLEST

Coercion = Literal["number", "string"]
"""What an attribute is read as."""

_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MAX_DIGITS = 128
_WHOLE_BELOW = 1e21


def as_number(value: object) -> int | float | None:
    """Return a number as it is and a decimal number in a string as one; None for all else, NaN and infinity too."""
    if isinstance(value, str):
        return _read(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or isfinite(value) else None


def as_text(value: object) -> str | None:
    """Return a string as it is, and a number or boolean as JSON writes it; None for all else.

    A whole number has no fraction, 1.0 and 1 being the same one. Integers beyond 64 bits, NaN and infinity have no
    text.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if SMALLEST <= value <= LARGEST else None
    if not isinstance(value, float) or not isfinite(value):
        return None
    return str(int(value)) if value.is_integer() and abs(value) < _WHOLE_BELOW else repr(value)


def _read(text: str) -> int | float | None:
    if len(text) > _MAX_DIGITS or _DECIMAL.fullmatch(text) is None:
        return None
    if text.lstrip("+-").isdigit():
        return int(text)
    number = float(text)
    return number if isfinite(number) else None
