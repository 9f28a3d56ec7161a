"""Conditions on a caller's attributes, as they stand in a document; `predicates.py` compiles them."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from .bucketing import BUCKETS
from .coercion import Coercion
from .context import NOW, TARGETING_KEY
from .names import MURMUR3_100K, Bucketing, SegmentName
from .operands import (
    BOOLEAN,
    EQUAL,
    INSTANT,
    LISTED,
    NETWORKS,
    ORDERED,
    PART,
    PATTERN,
    SCALAR,
    SCALARS,
    TEXT,
    VERSION,
    Operand,
)
from .part import AttributeName, OwnSalt, Part, is_none, looks_for_now
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
    MATCHES = "matches"
    SEMVER_EQ = "semver_eq"
    SEMVER_GT = "semver_gt"
    SEMVER_GTE = "semver_gte"
    SEMVER_LT = "semver_lt"
    SEMVER_LTE = "semver_lte"
    BEFORE = "before"
    AFTER = "after"
    IN_CIDR = "in_cidr"
    ANY_OF = "any_of"
    ALL_OF = "all_of"


class Compare(Part):
    """One attribute against one value; `as` reads the attribute as a number or as text first."""

    attribute: AttributeName
    op: Operator
    value: Value = True
    as_: Annotated[Coercion | None, Field(alias="as", exclude_if=is_none)] = None

    @model_validator(mode="after")
    def value_fits_operator(self) -> Self:
        """Refuse a value the operator can never match."""
        operand = _WANTED[self.op]
        if "value" not in self.model_fields_set and self.op is not Operator.EXISTS:
            raise ValueError(f'"{self.op}" needs a value: {operand.wanted}')
        why = operand.fault(self.value)
        if why is not None:
            raise ValueError(f'"{self.op}" {why}')
        return self

    @model_validator(mode="after")
    def reads_the_attribute_as_it_compares(self) -> Self:
        """Refuse a coercion to what the operator or its value is not about, and the time where no time is compared."""
        if looks_for_now(self.attribute):
            raise ValueError(f'"{NOW}" is the time of the evaluation, and no path leads to it: leave the "/" out')
        if self.attribute == NOW:
            is_text = isinstance(self.value, str) and self.op not in {Operator.BEFORE, Operator.AFTER}
            if self.op not in _ON_TIME or self.as_ is not None or is_text:
                raise ValueError(
                    f'"{NOW}" is a number of seconds: compare it with one by {", ".join(sorted(_ON_TIME))}'
                )
        elif self.as_ is not None and not _WANTED[self.op].is_fit_for(self.as_, self.value):
            raise ValueError(f'"{self.op}" of this value compares no {self.as_}: leave "as" out')
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
    salt: OwnSalt
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


_ON_TIME = frozenset({Operator.GT, Operator.GTE, Operator.LT, Operator.LTE, Operator.BEFORE, Operator.AFTER})

_WANTED: dict[Operator, Operand] = {
    Operator.EQ: EQUAL,
    Operator.NE: SCALAR,
    Operator.IN: SCALARS,
    Operator.NOT_IN: SCALARS,
    Operator.GT: ORDERED,
    Operator.GTE: ORDERED,
    Operator.LT: ORDERED,
    Operator.LTE: ORDERED,
    Operator.CONTAINS: PART,
    Operator.STARTS_WITH: TEXT,
    Operator.ENDS_WITH: TEXT,
    Operator.EXISTS: BOOLEAN,
    Operator.MATCHES: PATTERN,
    Operator.SEMVER_EQ: VERSION,
    Operator.SEMVER_GT: VERSION,
    Operator.SEMVER_GTE: VERSION,
    Operator.SEMVER_LT: VERSION,
    Operator.SEMVER_LTE: VERSION,
    Operator.BEFORE: INSTANT,
    Operator.AFTER: INSTANT,
    Operator.IN_CIDR: NETWORKS,
    Operator.ANY_OF: LISTED,
    Operator.ALL_OF: LISTED,
}
