"""JSON values a document may hold: those every store and every client reads back as they were written."""

from math import isfinite
from typing import Annotated

from pydantic import JsonValue, PlainValidator

MAX_NESTING = 32
INTEGERS = range(-(2**63), 2**63)


def portable(value: JsonValue) -> JsonValue:
    """Return the value.

    Raises ValueError for what is no JSON, NaN, infinity, lone surrogates, integers beyond 64 bits and nesting deeper
    than 32.
    """
    _check(value, MAX_NESTING)
    return value


Value = Annotated[JsonValue, PlainValidator(portable)]


def _check(value: JsonValue, levels: int) -> None:
    if levels < 0:
        raise ValueError(f"a value may be nested {MAX_NESTING} deep at most")
    if isinstance(value, dict):
        _check_names(value)
        _check_all([*value, *value.values()], levels - 1)
    elif isinstance(value, list):
        _check_all(value, levels - 1)
    elif (why := _unportable(value)) is not None:
        raise ValueError(why)


def _unportable(value: object) -> str | None:
    """Return why a value that holds no others is refused, None when it is not."""
    if isinstance(value, str):
        return None if _is_utf8(value) else "a string must be valid Unicode, without lone surrogates"
    if isinstance(value, int):
        is_small = value in INTEGERS
        return None if is_small else "an integer must fit 64 bits; write it as a string or as a number with a fraction"
    if isinstance(value, float):
        return None if isfinite(value) else "a number must be finite"
    return None if value is None else f"a value must be one of JSON, and a {type(value).__name__} is none"


def _check_names(value: dict[str, JsonValue]) -> None:
    for name in value:
        if not isinstance(name, str):
            raise ValueError("an object's names must be strings")  # noqa: TRY004 - what pydantic turns into a refusal


def _check_all(values: list[JsonValue], levels: int) -> None:
    for value in values:
        _check(value, levels)


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
