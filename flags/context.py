"""Who asks: the attributes of one caller."""

from collections.abc import Callable, Sequence
from typing import Any

from .pointer import is_pointer, tokens, walker

TARGETING_KEY = "targetingKey"
NOW = "$now"
"""The attribute that is the time of the evaluation, in seconds since 1970; a caller's own is not believed."""

MAX_KEY_LENGTH = 1024

SMALLEST, LARGEST = -(2**63), 2**64 - 1
"""Integers that every reader of JSON reads as such: beyond them some read a number with a fraction."""

Context = dict[str, Any]
"""JSON attributes by name; `targetingKey` names the caller."""

Predicate = Callable[[Context], bool]
"""A question about a caller; it answers any context, and raises nothing."""


class InvalidKeyError(ValueError):
    """The attribute to bucket by holds something that cannot name a caller."""


def unusual_key(value: object) -> str | None:
    """Return the key an attribute that is no usual string stands for, None when it is missing or empty.

    Integers of 64 bits count as their decimals. Raises InvalidKeyError for everything else.
    """
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and SMALLEST <= value <= LARGEST:
        return str(value)
    raise InvalidKeyError(f"a key must be a string of 1 to {MAX_KEY_LENGTH} characters or an integer of 64 bits")


def attribute_in(context: Context, attribute: str) -> Any:
    """Return what a context holds under a name, or where a pointer leads; None for nothing."""
    return walker(attribute)(context) if is_pointer(attribute) else context.get(attribute)


def unit_in(context: Context, attributes: Sequence[str]) -> Any:
    """Return what the first of the attributes that is there and not empty holds, None for nothing."""
    for attribute in attributes:
        value = context.get(attribute) if attribute[:1] != "/" else walker(attribute)(context)
        if value is not None and value != "":
            return value
    return None


def context_with(attribute: str, value: Any) -> Context:
    """Return the context that holds this alone, under a name or where a pointer leads."""
    for name in reversed(tokens(attribute) if is_pointer(attribute) else (attribute,)):
        value = {name: value}
    context: Context = value
    return context


def unit_key(context: Context, attribute: str) -> str | None:
    """Return the string that names the caller, None when it is missing or empty. Raises InvalidKeyError."""
    value = attribute_in(context, attribute)
    if type(value) is str and 0 < len(value) <= MAX_KEY_LENGTH:
        return value
    return unusual_key(value)


def first_key(context: Context, attributes: Sequence[str]) -> str | None:
    """Return the string that names the caller in the first of the attributes that is there and not empty.

    Raises InvalidKeyError where that one cannot name a caller.
    """
    for attribute in attributes:
        key = unit_key(context, attribute)
        if key is not None:
            return key
    return None
