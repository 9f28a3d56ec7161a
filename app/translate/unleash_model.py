"""Unleash's features as its clients get them, so far as they decide anything."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic.alias_generators import to_camel

from app.translate.model import UnsayableError

Given = TypeVar("Given", bound="Theirs")
Item = TypeVar("Item")


def _or_empty(value: Any) -> Any:
    return [] if value is None else value


def _or_none_given(value: Any) -> Any:
    return {} if value is None else value


Listed = Annotated[tuple[Item, ...], BeforeValidator(_or_empty)]


class Theirs(BaseModel):
    """A piece of their document; what decides nothing is passed over, and null is as good as nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, alias_generator=to_camel)


class Constraint(Theirs):
    """A comparison of a context field with one value or several."""

    context_name: str
    operator: str
    values: Annotated[Listed[str], Field(strict=False)] = ()
    value: str | None = None
    inverted: bool = False
    case_insensitive: bool = False


class Segment(Theirs):
    """Constraints under a number; an export of the administration has none of them."""

    id: int
    name: str | None = None
    constraints: Annotated[tuple[Constraint, ...] | None, Field(strict=False)] = None


class Payload(Theirs):
    """What a variant carries, always as text."""

    type: str
    value: str


class Override(Theirs):
    """Callers who have a variant because of a field."""

    context_name: str
    values: Annotated[Listed[str], Field(strict=False)] = ()


class Variant(Theirs):
    """One of the variants of a feature or of a strategy; a strategy's have no stickiness and no overrides."""

    name: str
    weight: int
    stickiness: str | None = None
    payload: Payload | None = None
    overrides: Annotated[Listed[Override], Field(strict=False)] = ()


class Strategy(Theirs):
    """A way to have a feature; `place` is where it stands in their file."""

    name: str
    title: str | None = None
    parameters: Annotated[dict[str, str], BeforeValidator(_or_none_given)] = {}
    constraints: Annotated[Listed[Constraint], Field(strict=False)] = ()
    segments: Annotated[Listed[int], Field(strict=False)] = ()
    variants: Annotated[Listed[Variant], Field(strict=False)] = ()
    disabled: bool | None = None
    sort_order: int | None = None
    place: str = ""


class Dependency(Theirs):
    """A feature that another one stands on."""

    feature: str
    enabled: bool | None = None
    variants: Annotated[Listed[str], Field(strict=False)] = ()


class Feature(Theirs):
    """A feature in one environment; `place` is where it stands in their file, `variants_place` its variants."""

    name: str
    description: str | None = None
    type: str | None = None
    enabled: bool
    strategies: Annotated[Listed[Strategy], Field(strict=False)] = ()
    variants: Annotated[Listed[Variant], Field(strict=False)] = ()
    dependencies: Annotated[Listed[Dependency], Field(strict=False)] = ()
    place: str
    variants_place: str


FeatureOrError = Feature | UnsayableError


def listed(document: dict[str, JsonValue], name: str, place: str = "$") -> list[JsonValue]:
    """Return the list of a name in the object at `place`, an empty one for none. Raises UnsayableError."""
    given = document.get(name)
    if given is None:
        return []
    if not isinstance(given, list):
        raise UnsayableError(f"{place}.{name}", "this must be a list")
    return given


def object_of(given: Any, place: str) -> dict[str, Any]:
    """Return the object that stands at `place`. Raises UnsayableError for anything else."""
    if not isinstance(given, dict):
        raise UnsayableError(place, "this must be an object")
    return given


def with_texts(strategy: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a strategy as Unleash gives it to its clients: whole numbers in its parameters are texts."""
    given = strategy.get("parameters")
    if not isinstance(given, dict):
        return strategy
    texts: dict[str, JsonValue] = {
        name: str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in given.items()
    }
    return strategy | {"parameters": texts}


def read(form: type[Given], document: Any, place: str) -> Given:
    """Read a piece of their document that stands at `place`. Raises UnsayableError where it is not of that form."""
    try:
        return form.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
        raise UnsayableError(f"{place}{path}", f"this cannot be read: {first['msg']}") from error
