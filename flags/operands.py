"""The values that operators compare with: which fit, which are said to be wanted, and what they may be read as."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from .addresses import network
from .coercion import Coercion, as_version
from .instants import seconds
from .patterns import searcher
from .semver import precedence

Check = Callable[[JsonValue], bool]


def _any_is_good(_value: str) -> object:
    return None


@dataclass(frozen=True, slots=True)
class Operand:
    """What an operator wants as value, in words; `read` raises ValueError for each text in it that is no such thing.

    `as_number` and `as_text` say with which values the attribute may be read as a number or as text first; what
    compares with a number of its own, and no list, can compare versions.
    """

    wanted: str
    fits: Check
    as_number: Check
    as_text: Check
    read: Callable[[str], object] = _any_is_good

    def fault(self, value: JsonValue) -> str | None:
        """Return why a value cannot be compared with, None when it can."""
        if not self.fits(value):
            return f"needs {self.wanted} as value"
        try:
            for each in _each(value):
                if isinstance(each, str):
                    self.read(each)
        except ValueError as error:
            return f"needs {self.wanted} as value: {error}"
        return None

    def is_fit_for(self, coercion: Coercion, value: JsonValue) -> bool:
        """Say whether an attribute that is read so can be compared with the value."""
        match coercion:
            case "number" | "length":
                return self.as_number(value)
            case "string":
                return self.as_text(value)
            case "version":
                return as_version(value) is not None and self.as_number is _is_number
            case "lower":
                return (self.as_text(value) or self is LISTED) and all(map(_is_lower, _each(value)))


def _each(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _is_scalar(value: JsonValue) -> bool:
    return isinstance(value, str | bool | int | float)


def _is_scalar_or_empty_list(value: JsonValue) -> bool:
    return _is_scalar(value) or value == []


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: JsonValue) -> bool:
    return isinstance(value, str)


def _is_ordered(value: JsonValue) -> bool:
    return _is_text(value) or _is_number(value)


def _is_boolean(value: JsonValue) -> bool:
    return isinstance(value, bool)


def _is_instant(value: JsonValue) -> bool:
    return seconds(value) is not None


def _is_version(value: JsonValue) -> bool:
    return precedence(value) is not None


def _is_lower(value: JsonValue) -> bool:
    return isinstance(value, str) and value == value.lower()


def _never(_value: JsonValue) -> bool:
    return False


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and len(value) > 0 and all(check(each) for each in value)


def _one_or_more(check: Check) -> Check:
    return lambda value: check(value) or _list_of(check)(value)


SCALAR = Operand("a string, number or boolean", _is_scalar, _is_number, _is_text)
EQUAL = Operand("a string, number, boolean or the empty list", _is_scalar_or_empty_list, _is_number, _is_text)
SCALARS = Operand(
    "a list of strings, numbers or booleans", _list_of(_is_scalar), _list_of(_is_number), _list_of(_is_text)
)
LISTED = Operand(SCALARS.wanted, SCALARS.fits, _never, _never)
ORDERED = Operand("a number or string", _is_ordered, _is_number, _is_text)
PART = Operand(SCALAR.wanted, _is_scalar, _never, _is_text)
TEXT = Operand("a string", _is_text, _never, _is_text)
BOOLEAN = Operand("true or false", _is_boolean, _never, _never)
PATTERN = Operand("a regular expression", _is_text, _never, _is_text, searcher)
VERSION = Operand('a version like "1.4.0"', _is_version, _never, _is_version)
INSTANT = Operand('a time like "2027-01-31T08:00:00Z" or seconds since 1970', _is_instant, _is_instant, _never)
NETWORKS = Operand('a network like "10.0.0.0/8" or a list of them', _one_or_more(_is_text), _never, _never, network)
