"""JSON values a document may hold: those every store and every client reads back as they were written."""

from math import isfinite
from typing import Annotated

from pydantic import AfterValidator, JsonValue

MAX_NESTING = 32
INTEGERS = range(-(2**63), 2**63)


def portable(value: JsonValue) -> JsonValue:
    """Return the value.

    Raises ValueError for NaN, infinity, lone surrogates, integers beyond 64 bits and nesting deeper than 32.
    """
    _check(value, MAX_NESTING)
    return value


Value = Annotated[JsonValue, AfterValidator(portable)]


def _check(value: JsonValue, levels: int) -> None:
    if levels < 0:
        raise ValueError(f"a value may be nested {MAX_NESTING} deep at most")
    if isinstance(value, dict):
        _check_all([*value, *value.values()], levels - 1)
    elif isinstance(value, list):
        _check_all(value, levels - 1)
    elif isinstance(value, str) and not _is_utf8(value):
        raise ValueError("a string must be valid Unicode, without lone surrogates")
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError("a number must be finite")
    elif type(value) is int and value not in INTEGERS:
        raise ValueError("an integer must fit 64 bits; write it as a string or as a number with a fraction")


def _check_all(values: list[JsonValue], levels: int) -> None:
    for value in values:
        _check(value, levels)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
