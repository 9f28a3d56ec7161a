"""An attribute read as something else before it is compared: a number in a string, say, or how long a list is."""

import re
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Literal

from .context import LARGEST, SMALLEST

Coercion = Literal["number", "string", "lower", "version", "length"]
"""What an attribute is read as."""

_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_MAX_DIGITS = 128
_WHOLE_BELOW = 1e21
_PADDING = 5
_MAX_VERSION = 256
_FULL = 3
_BUILD = re.compile(r"^v|\+.*$")
_BETWEEN = re.compile(r"[-.]")


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


def as_lower(value: object) -> str | list[object] | None:
    """Return text in lower case, a list with all its text in lower case; None for all else."""
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, list):
        return [each.lower() if isinstance(each, str) else each for each in value]
    return None


def as_version(value: object) -> str | None:
    """Return a version so that text order is version order, None for what is no text of at most 256 characters.

    The parts between dots and hyphens are compared from the left, numbers of up to five digits by their size; "v"
    in front and all from "+" on do not count. A version of three parts is behind those that go on: its pre-releases.
    """
    if not isinstance(value, str) or len(value) > _MAX_VERSION:
        return None
    parts = _BETWEEN.split(_BUILD.sub("", value or "0"))
    ends = ["~"] if len(parts) == _FULL else []
    return "-".join([*(part.rjust(_PADDING) if part.isdigit() else part for part in parts), *ends])


def length(value: object) -> int | None:
    """Return the number of a list's items, None for what is no list."""
    return len(value) if isinstance(value, list) else None


READ_AS: Mapping[Coercion, Callable[[object], object]] = {
    "number": as_number,
    "string": as_text,
    "lower": as_lower,
    "version": as_version,
    "length": length,
}


def _read(text: str) -> int | float | None:
    if len(text) > _MAX_DIGITS or _DECIMAL.fullmatch(text) is None:
        return None
    if text.lstrip("+-").isdigit():
        return int(text)
    number = float(text)
    return number if isfinite(number) else None
