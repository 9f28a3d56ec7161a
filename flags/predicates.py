"""Conditions compiled to total functions of the context.

A missing or null attribute satisfies no operator but `exists: false`; `not` gives the opposite of anything.
Values of different JSON types are never equal and have no order (1 and 1.0 are both numbers, true is not one).
Strings are ordered by code point.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .algorithms import bucketer
from .coercion import Coercion, as_number, as_text
from .conditions import All, AnyOf, Buckets, Compare, Condition, InBuckets, InSegment, Not, parts
from .context import NOW, Context, InvalidKeyError, Predicate, first_key
from .operators import OPERATORS
from .pointer import is_pointer, walker


class CompiledSegment(NamedTuple):
    """Who is in a segment, and whether that has to do with the time of the evaluation."""

    holds: Predicate
    asks_time: bool


def predicate(condition: Condition, segments: Mapping[str, CompiledSegment]) -> Predicate:
    """Compile the condition over segments that are compiled already; nobody is in one that is unknown.

    Where it `asks_time` the context has to hold `$now`.
    """
    match condition:
        case Compare():
            return _comparison(condition)
        case All():
            return _all_of(tuple(predicate(inner, segments) for inner in condition.conditions))
        case AnyOf():
            return _any_of(tuple(predicate(inner, segments) for inner in condition.conditions))
        case Not():
            return _negated(predicate(condition.condition, segments))
        case InSegment():
            return segments.get(condition.segment, NOBODY).holds
        case InBuckets():
            return _in_buckets(condition.buckets)


def asks_time(condition: Condition, segments: Mapping[str, CompiledSegment]) -> bool:
    """Say whether the condition, or a segment it names, compares the time of the evaluation."""
    return any(
        (isinstance(part, Compare) and part.attribute == NOW)
        or (isinstance(part, InSegment) and segments.get(part.segment, NOBODY).asks_time)
        for part in parts(condition)
    )


NOBODY = CompiledSegment(lambda _context: False, asks_time=False)

_READ_AS: Mapping[Coercion, Callable[[object], object]] = {"number": as_number, "string": as_text}


def _comparison(compare: Compare) -> Predicate:
    """Compile a comparison; what is read from inside an attribute or as another type is handed on under no name."""
    attribute, of = compare.attribute, OPERATORS[compare.op]
    if compare.as_ is None and not is_pointer(attribute):
        return of(attribute, compare.value)
    found = walker(attribute) if is_pointer(attribute) else _value_of(attribute)
    holds = of("", compare.value)
    if compare.as_ is None:
        return lambda context: holds({"": found(context)})
    read = _READ_AS[compare.as_]
    return lambda context: holds({"": read(found(context))})


def _value_of(attribute: str) -> Callable[[Context], Any]:
    return lambda context: context.get(attribute)


def _in_buckets(buckets: Buckets) -> Predicate:
    by, start, end = buckets.by, buckets.from_, buckets.to
    bucket_of = bucketer(buckets.bucketing, buckets.salt)

    def holds(context: Context) -> bool:
        try:
            key = first_key(context, by)
            return key is not None and start <= bucket_of(key) < end
        except (InvalidKeyError, UnicodeEncodeError):
            return False

    return holds


def _all_of(predicates: tuple[Predicate, ...]) -> Predicate:
    def holds(context: Context) -> bool:
        for each in predicates:  # noqa: SIM110 - all() over a generator costs twice as much on the hot path
            if not each(context):
                return False
        return True

    return holds


def _any_of(predicates: tuple[Predicate, ...]) -> Predicate:
    def holds(context: Context) -> bool:
        for each in predicates:  # noqa: SIM110 - any() over a generator costs twice as much on the hot path
            if each(context):
                return True
        return False

    return holds


def _negated(inner: Predicate) -> Predicate:
    return lambda context: not inner(context)
