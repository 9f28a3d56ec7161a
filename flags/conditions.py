"""Conditions on a caller's attributes, as they stand in a document; `predicates.py` compiles them."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, JsonValue, Tag, model_validator

from .bucketing import BUCKETS
from .context import TARGETING_KEY
from .names import MURMUR3_100K, Bucketing, SegmentName
from .part import AttributeName, Part, Salt
from .serve import By
from .values import Value

MAX_DEPTH = 8


class Operator(StrEnum):
    """How an attribute is compared with a condition's value."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "not_in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    EXISTS = "exists"


class Compare(Part):
    """One attribute against one value."""

    attribute: AttributeName
    op: Operator
    value: Value = True

    @model_validator(mode="after")
    def value_fits_operator(self) -> Self:
        """Refuse a value the operator can never match."""
        fits, wanted = _WANTED[self.op]
        if "value" not in self.model_fields_set and self.op is not Operator.EXISTS:
            raise ValueError(f'"{self.op}" needs a value: {wanted}')
        if not fits(self.value):
            raise ValueError(f'"{self.op}" needs {wanted} as value')
        return self


class All(Part):
    """True when every condition holds."""

    conditions: Annotated[tuple["Condition", ...], Field(min_length=1, max_length=64, alias="all")]


class AnyOf(Part):
    """True when at least one condition holds."""

    conditions: Annotated[tuple["Condition", ...], Field(min_length=1, max_length=64, alias="any")]


class Not(Part):
    """True when the condition does not hold."""

    condition: Annotated["Condition", Field(alias="not")]


class InSegment(Part):
    """True for callers of a named segment."""

    segment: SegmentName


Place = Annotated[int, Field(ge=0, le=BUCKETS, strict=True)]


class Buckets(Part):
    """A part of all callers by their bucket: from `from` on and below `to`, in hundred-thousandths."""

    by: By = (TARGETING_KEY,)
    salt: Salt
    bucketing: Bucketing = MURMUR3_100K
    from_: Annotated[Place, Field(alias="from")] = 0
    to: Place

    @model_validator(mode="after")
    def has_someone(self) -> Self:
        """Refuse a part that nobody is in."""
        if self.from_ >= self.to:
            raise ValueError('"from" must be below "to"')
        return self


class InBuckets(Part):
    """True for callers whose bucket lies in a part; a caller without a key is in none."""

    buckets: Annotated[Buckets, Field(alias="bucket")]


_FORMS: dict[type[Part], str] = {
    All: "?all",
    AnyOf: "?any",
    Not: "?not",
    InSegment: "?segment",
    InBuckets: "?bucket",
}


def _form(document: Any) -> str | None:
    if isinstance(document, dict):
        return next((form for form in _FORMS.values() if form[1:] in document), "?compare")
    return _FORMS.get(type(document), "?compare") if isinstance(document, Part) else None


Condition = Annotated[
    Annotated[Compare, Tag("?compare")]
    | Annotated[All, Tag("?all")]
    | Annotated[AnyOf, Tag("?any")]
    | Annotated[Not, Tag("?not")]
    | Annotated[InSegment, Tag("?segment")]
    | Annotated[InBuckets, Tag("?bucket")],
    Discriminator(
        _form,
        custom_error_type="condition",
        custom_error_message=(
            'a condition is {"attribute", "op", "value"}, {"all": […]}, {"any": […]}, {"not": …}, {"segment": name} '
            'or {"bucket": {"salt", "from", "to"}}'
        ),
    ),
]

for _model in (All, AnyOf, Not):
    _model.model_rebuild()


def depth(condition: Condition) -> int:
    """Return how deep the condition is nested; a comparison is 1 deep."""
    match condition:
        case Compare() | InSegment() | InBuckets():
            return 1
        case All() | AnyOf():
            return 1 + max(depth(inner) for inner in condition.conditions)
        case Not():
            return 1 + depth(condition.condition)


def parts(condition: Condition) -> Iterator[Condition]:
    """Yield the condition and all that stand in it."""
    yield condition
    match condition:
        case All() | AnyOf():
            for inner in condition.conditions:
                yield from parts(inner)
        case Not():
            yield from parts(condition.condition)


def segments_in(condition: Condition) -> frozenset[str]:
    """Return the names of the segments that the condition itself names."""
    return frozenset(part.segment for part in parts(condition) if isinstance(part, InSegment))


def _is_scalar(value: JsonValue) -> bool:
    return isinstance(value, str | bool | int | float)


def _is_ordered(value: JsonValue) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_list_of_scalars(value: JsonValue) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(_is_scalar(item) for item in value)


def _is_text(value: JsonValue) -> bool:
    return isinstance(value, str)


def _is_boolean(value: JsonValue) -> bool:
    return isinstance(value, bool)


_SCALAR = (_is_scalar, "a string, number or boolean")
_LIST = (_is_list_of_scalars, "a list of strings, numbers or booleans")
_ORDERED = (_is_ordered, "a number or string")
_TEXT = (_is_text, "a string")
_BOOLEAN = (_is_boolean, "true or false")

_WANTED: dict[Operator, tuple[Callable[[JsonValue], bool], str]] = {
    Operator.EQ: _SCALAR,
    Operator.NE: _SCALAR,
    Operator.IN: _LIST,
    Operator.NOT_IN: _LIST,
    Operator.GT: _ORDERED,
    Operator.GTE: _ORDERED,
    Operator.LT: _ORDERED,
    Operator.LTE: _ORDERED,
    Operator.CONTAINS: _SCALAR,
    Operator.STARTS_WITH: _TEXT,
    Operator.ENDS_WITH: _TEXT,
    Operator.EXISTS: _BOOLEAN,
}
