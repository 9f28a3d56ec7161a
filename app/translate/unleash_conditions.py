"""Unleash's constraints told as conditions, as the engine inside its clients evaluates them.

Its contexts hold nothing but text, so that attributes are read as text, or as numbers, before they are compared.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import isfinite

from pydantic import JsonValue

from app.translate.logic import When, every, opposite, some
from app.translate.model import Document, Options, UnsayableError
from app.translate.unleash_case import in_any_case
from app.translate.unleash_model import Constraint

Told = Callable[[Constraint, str, str], When]
"""Tells a constraint on an attribute of ours, which stands at a place."""

NOW, CURRENT_TIME = "$now", "currentTime"
OURS: Mapping[str, str] = {"userId": "targetingKey"}
"""What their fields are called here; the others keep their names."""

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", re.ASCII)
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NETWORK = re.compile(r"[0-9a-fA-F.:]+(/[0-9]+)?", re.ASCII)
_MAPPED = IPv6Network("::ffff:0:0/96")
THREE_NUMBERS = r"^[0-9]+\.[0-9]+\.[0-9]"
DATE_AND_TIME = "[0-9][Tt ][0-9]"


def attribute_of(field: str, options: Options, place: str) -> str:
    """Return what a context field is called here. Raises UnsayableError for a name that means something else here."""
    ours = options.attribute(field, OURS.get(field))
    if field not in options.attributes and (ours == NOW or ours[:1] == "/"):
        raise UnsayableError(place, f'"{field}" means something else here; give the attribute with --attribute')
    if '"' in field or field.endswith("\\"):
        raise UnsayableError(place, f"Unleash itself cannot read a field of the name {field}")
    return ours


def condition(constraint: Constraint, options: Options, place: str) -> When:
    """Return for whom a constraint that stands at `place` holds. Raises UnsayableError."""
    tell = _OPERATORS.get(constraint.operator)
    if tell is None:
        raise UnsayableError(f"{place}.operator", f'there is no operator "{constraint.operator}" that could be told')
    field = constraint.context_name
    if field == CURRENT_TIME and tell is not _date:
        raise UnsayableError(place, "the current time is compared as a date only")
    told = tell(constraint, attribute_of(field, options, f"{place}.contextName"), place)
    return opposite(told) if constraint.inverted else told


def member(attribute: str, texts: Iterable[str]) -> When:
    """Return the condition that an attribute is one of the texts."""
    values: list[JsonValue] = [*texts]
    return _compared(attribute, "in", values, "string") if values else False


def within(attribute: str, networks: Iterable[str], place: str) -> When:
    """Return the condition that an attribute is an address in one of the networks, of which wrong ones count for none.

    They take an IPv4 address inside an IPv6 one for IPv6. Raises UnsayableError where that cannot be told.
    """
    known = [found for text in networks if (found := _network(text, place)) is not None]
    old: list[JsonValue] = [str(each) for each in known if isinstance(each, IPv4Network)]
    new: list[JsonValue] = [str(each) for each in known if isinstance(each, IPv6Network)]
    plain = opposite(_compared(attribute, "contains", ":"))
    in_old = every([_compared(attribute, "in_cidr", old), plain]) if old else False
    return some([in_old, _compared(attribute, "in_cidr", new) if new else False])


def _network(text: str, place: str) -> IPv4Network | IPv6Network | None:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if _NETWORK.fullmatch(text) is None:
        raise UnsayableError(place, f'write the network "{text}" with the length of its prefix, or without a zone')
    if isinstance(network, IPv6Network) and network.overlaps(_MAPPED):
        raise UnsayableError(place, f"{text} has IPv4 addresses inside IPv6 ones, which are IPv4 addresses here")
    return network


def _compared(attribute: str, op: str, value: JsonValue, read_as: str | None = None) -> Document:
    told: Document = {"attribute": attribute, "op": op, "value": value}
    return told if read_as is None else told | {"as": read_as}


def _in(constraint: Constraint, attribute: str, place: str) -> When:
    return member(attribute, _texts(constraint, place))


def _not_in(constraint: Constraint, attribute: str, place: str) -> When:
    return opposite(_in(constraint, attribute, place))


def _text(op: str) -> Told:
    def tell(constraint: Constraint, attribute: str, place: str) -> When:
        texts = _texts(constraint, place)
        if not texts:
            raise UnsayableError(f"{place}.values", "Unleash itself cannot read this operator without values")
        if not constraint.case_insensitive:
            return some(_compared(attribute, op, text, "string") for text in texts)
        return some(_compared(attribute, "matches", in_any_case(op, text, place), "string") for text in texts)

    return tell


def _texts(constraint: Constraint, place: str) -> tuple[str, ...]:
    for at, text in enumerate(constraint.values):
        if text.endswith("\\"):
            raise UnsayableError(f"{place}.values[{at}]", "Unleash itself cannot read a value that ends with \\")
    return constraint.values


def _number(op: str) -> Told:
    def tell(constraint: Constraint, attribute: str, place: str) -> When:
        text = _value(constraint, place).strip(" \t")
        if _NUMBER.fullmatch(text) is None or not isfinite(float(text)):
            raise UnsayableError(f"{place}.value", f'"{text}" is no decimal number')
        number = float(text)
        whole = number.is_integer() and abs(number) < 2**53
        return _compared(attribute, op, int(number) if whole else number, "number")

    return tell


def _version(op: str) -> Told:
    """Tell an operator of versions, of which theirs have three numbers and no `v`."""

    def tell(constraint: Constraint, attribute: str, place: str) -> When:
        version = _value(constraint, place)
        if _VERSION.fullmatch(version) is None:
            raise UnsayableError(f"{place}.value", f'"{version}" is no version of three numbers')
        return every([_compared(attribute, "matches", THREE_NUMBERS), _compared(attribute, op, version)])

    return tell


def _date(constraint: Constraint, attribute: str, place: str) -> When:
    text = _value(constraint, place).strip(" \t")
    try:
        readable = _DATE.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        readable = False
    if not readable:
        raise UnsayableError(f"{place}.value", f'"{text}" is no date like 2027-01-31T08:00:00Z')
    op = "after" if constraint.operator == "DATE_AFTER" else "before"
    if attribute == NOW:
        return _compared(NOW, op, text)
    given = every([_compared(attribute, "matches", DATE_AND_TIME), _compared(attribute, op, text)])
    if constraint.context_name != CURRENT_TIME:
        return given
    absent = _compared(attribute, "exists", value=False)
    return some([given, every([absent, _compared(NOW, op, text)])])


def _regex(constraint: Constraint, attribute: str, place: str) -> When:
    pattern = _value(constraint, place)
    if pattern.endswith("\\"):
        raise UnsayableError(f"{place}.value", "Unleash itself cannot read a pattern that ends with \\")
    return _compared(attribute, "matches", f"(?i){pattern}" if constraint.case_insensitive else pattern, "string")


def _value(constraint: Constraint, place: str) -> str:
    if constraint.value is None:
        raise UnsayableError(place, "the constraint has no value")
    return constraint.value


_OPERATORS: Mapping[str, Told] = {
    "IN": _in,
    "NOT_IN": _not_in,
    "STR_STARTS_WITH": _text("starts_with"),
    "STR_ENDS_WITH": _text("ends_with"),
    "STR_CONTAINS": _text("contains"),
    "NUM_EQ": _number("eq"),
    "NUM_GT": _number("gt"),
    "NUM_GTE": _number("gte"),
    "NUM_LT": _number("lt"),
    "NUM_LTE": _number("lte"),
    "DATE_AFTER": _date,
    "DATE_BEFORE": _date,
    "SEMVER_EQ": _version("semver_eq"),
    "SEMVER_GT": _version("semver_gt"),
    "SEMVER_GTE": _version("semver_gte"),
    "SEMVER_LT": _version("semver_lt"),
    "SEMVER_LTE": _version("semver_lte"),
    "REGEX": _regex,
}
