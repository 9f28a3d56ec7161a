"""Conditions on a caller's attributes, as they stand in a document; `predicates.py` compiles them."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    model_validator,
)

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


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True)


class Compare(_Part):
    """One attribute against one value."""

    attribute: Annotated[str, StringConstraints(min_length=1, max_length=128)]
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


class All(_Part):
    """True when every condition holds."""

    conditions: Annotated[tuple["Condition", ...], Field(min_length=1, max_length=64, alias="all")]


class AnyOf(_Part):
    """True when at least one condition holds."""

    conditions: Annotated[tuple["Condition", ...], Field(min_length=1, max_length=64, alias="any")]


class Not(_Part):
    """True when the condition does not hold."""

    condition: Annotated["Condition", Field(alias="not")]


_FORMS: dict[type[_Part], str] = {All: "?all", AnyOf: "?any", Not: "?not"}


def _form(document: Any) -> str | None:
    if isinstance(document, dict):
        return next((f"?{form}" for form in ("all", "any", "not") if form in document), "?compare")
    return _FORMS.get(type(document), "?compare") if isinstance(document, _Part) else None


Condition = Annotated[
    Annotated[Compare, Tag("?compare")]
    | Annotated[All, Tag("?all")]
    | Annotated[AnyOf, Tag("?any")]
    | Annotated[Not, Tag("?not")],
    Discriminator(
        _form,
        custom_error_type="condition",
        custom_error_message='a condition is {"attribute", "op", "value"}, {"all": […]}, {"any": […]} or {"not": …}',
    ),
]

for _model in (All, AnyOf, Not):
    _model.model_rebuild()


def depth(condition: Condition) -> int:
    """Return how deep the condition is nested; a comparison is 1 deep."""
    match condition:
        case Compare():
            return 1
        case All() | AnyOf():
            return 1 + max(depth(inner) for inner in condition.conditions)
        case Not():
            return 1 + depth(condition.condition)


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
