"""GrowthBook's operators on one attribute, told as comparisons of ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from app.translate.growthbook_regex import UnportableError, portable
from app.translate.logic import When, every, opposite, some
from app.translate.model import UnsayableError

Scalar = str | int | float
"""Booleans among them."""

SURROGATES_END = "\ue000"
"""From here on, and beyond 16 bits, JavaScript orders text unlike us."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An attribute of ours, and what it is taken as before it is compared."""

    attribute: str
    taken_as: str | None = None

    def compared(self, op: str, value: JsonValue) -> When:
        """Return the comparison."""
        taken_as: dict[str, JsonValue] = {} if self.taken_as is None else {"as": self.taken_as}
        return {"attribute": self.attribute, "op": op, "value": value, **taken_as}

    def exists(self) -> When:
        """Return the condition that the attribute is there and not null."""
        return {"attribute": self.attribute, "op": "exists", "value": True}

    def taken(self, taken_as: str) -> "Subject":
        """Return the attribute taken as something else."""
        return Subject(self.attribute, taken_as)


def equals(subject: Subject, wanted: JsonValue, place: str) -> When:
    """Return the condition that the attribute is the very value."""
    if wanted is None:
        return opposite(subject.exists())
    return subject.compared("eq", _scalar(wanted, place))


def sized(subject: Subject, wanted: JsonValue, place: str) -> When:
    """Return the condition on how many items a list has: a number, or comparisons with numbers."""
    length = subject.taken("length")
    comparisons = wanted if isinstance(wanted, dict) else {"$eq": wanted}
    told = [_sized(length, *each, place) for each in comparisons.items()]
    return every([_is_list(subject), *told] if comparisons.keys() <= {"$ne"} else told)


def _sized(length: Subject, name: str, wanted: JsonValue, place: str) -> When:
    if not isinstance(wanted, int | float) or isinstance(wanted, bool) or name not in {"$eq", "$ne", *ORDER}:
        raise UnsayableError(place, "$size is compared with numbers only")
    if name == "$ne":
        return opposite(length.compared("eq", wanted))
    return length.compared(ORDER.get(name, "eq"), wanted)


def member(subject: Subject, values: JsonValue, place: str) -> When:
    """Return the condition that the attribute, or an item of it if it is a list, is one of the values."""
    if not isinstance(values, list):
        raise UnsayableError(place, "a list of values is wanted")
    if None in values:
        raise UnsayableError(place, "null in a list of values; ask with $exists for what is missing")
    scalars: list[JsonValue] = [value for value in values if isinstance(value, Scalar)]
    if not scalars:
        return False
    return some([subject.compared("in", scalars), subject.compared("any_of", scalars)])


def _member_in_any_case(subject: Subject, values: JsonValue, place: str) -> When:
    texts, others = _apart(values, place)
    return some([member(subject.taken("lower"), texts, place), member(subject, others, place)])


def _ordered(op: str, subject: Subject, value: JsonValue, place: str) -> When:
    wanted = _scalar(value, place)
    if isinstance(wanted, bool):
        return False
    if isinstance(wanted, str) and any(letter >= SURROGATES_END for letter in wanted):
        raise UnsayableError(place, "the text has characters that JavaScript orders unlike us")
    return subject.compared(op, wanted)


def _version(op: str, subject: Subject, value: JsonValue, place: str) -> When:
    if not isinstance(value, str):
        raise UnsayableError(place, "a version is a string")
    return subject.taken("version").compared(op, value)


def _holds_all(subject: Subject, values: JsonValue, place: str) -> When:
    if not isinstance(values, list):
        raise UnsayableError(place, "a list of values is wanted")
    scalars: list[JsonValue] = [_scalar(value, place) for value in values]
    return subject.compared("all_of", scalars) if scalars else _is_list(subject)


def _holds_all_in_any_case(subject: Subject, values: JsonValue, place: str) -> When:
    texts, others = _apart(values, place)
    return every([_holds_all(subject.taken("lower"), texts, place), _holds_all(subject, others, place)])


def _is_list(subject: Subject) -> When:
    return subject.taken("length").compared("gte", 0)


def _apart(values: JsonValue, place: str) -> tuple[list[JsonValue], list[JsonValue]]:
    """Return the texts among the values, all in lower case, and the others."""
    if not isinstance(values, list):
        raise UnsayableError(place, "a list of values is wanted")
    texts: list[JsonValue] = [value.lower() for value in values if isinstance(value, str)]
    return texts, [value for value in values if not isinstance(value, str)]


def _holds_one(subject: Subject, wanted: JsonValue, place: str) -> When:
    if not isinstance(wanted, dict) or [*wanted] != ["$eq"]:
        raise UnsayableError(place, "of the items of a list only $elemMatch with $eq alone can be said")
    return subject.compared("any_of", [_scalar(wanted["$eq"], place)])


def _matches(subject: Subject, pattern: JsonValue, place: str, *, any_case: bool = False) -> When:
    if not isinstance(pattern, str):
        raise UnsayableError(place, "a regular expression is a string")
    try:
        translated = portable(pattern, any_case=any_case)
    except UnportableError as unportable:
        raise UnsayableError(place, str(unportable)) from None
    return False if translated is None else subject.compared("matches", translated)


def _exists(subject: Subject, wanted: JsonValue, _place: str) -> When:
    return subject.exists() if wanted else opposite(subject.exists())


def _has_type(subject: Subject, name: JsonValue, place: str) -> When:
    if name == "object":
        raise UnsayableError(place, "that an attribute is an object cannot be said")
    told = _TYPES.get(name) if isinstance(name, str) else None
    return told(subject) if told is not None else False


def _is_number(subject: Subject) -> When:
    return some([subject.compared("lt", 0), subject.compared("gte", 0)])


def _scalar(value: JsonValue, place: str) -> Scalar:
    if not isinstance(value, Scalar):
        raise UnsayableError(place, "whole lists and objects, and null among values, cannot be compared")
    return value


def _negated(operator: "Operator") -> "Operator":
    return lambda subject, value, place: opposite(operator(subject, value, place))


Operator = Callable[[Subject, JsonValue, str], When]
_matches_in_any_case = partial(_matches, any_case=True)

_TYPES: Mapping[str, Callable[[Subject], When]] = {
    "null": lambda subject: opposite(subject.exists()),
    "boolean": lambda subject: subject.compared("in", [True, False]),
    "number": _is_number,
    "string": lambda subject: subject.compared("starts_with", ""),
    "array": _is_list,
}

ORDER: Mapping[str, str] = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}

OPERATORS: Mapping[str, Operator] = {
    "$eq": equals,
    "$ne": _negated(equals),
    **{theirs: partial(_ordered, ours) for theirs, ours in ORDER.items()},
    **{theirs.replace("$", "$v"): partial(_version, ours) for theirs, ours in ORDER.items()},
    "$veq": partial(_version, "eq"),
    "$vne": _negated(partial(_version, "eq")),
    "$in": member,
    "$nin": _negated(member),
    "$ini": _member_in_any_case,
    "$nini": _negated(_member_in_any_case),
    "$all": _holds_all,
    "$alli": _holds_all_in_any_case,
    "$elemMatch": _holds_one,
    "$size": sized,
    "$regex": _matches,
    "$regexi": _matches_in_any_case,
    "$notRegex": _negated(_matches),
    "$notRegexi": _negated(_matches_in_any_case),
    "$exists": _exists,
    "$type": _has_type,
}
