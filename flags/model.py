"""The flag document: API schema, stored form and evaluator's input in one frozen model."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, JsonValue, Strict, StringConstraints, model_validator

from .conditions import MAX_DEPTH, Condition, depth
from .context import MAX_KEY_LENGTH, TARGETING_KEY
from .defaults import with_defaults
from .names import MURMUR3_100K, Bucketing, Key, Kind
from .part import CallersAttribute, Part, Salt, ShortText, Text, is_empty, is_none, refuse_twice
from .phases import phases
from .schedule import Schedule, check_order
from .serve import Serve
from .values import Value

TargetKey = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_LENGTH)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=128)]

MAX_STICKY_S = 366 * 86_400


def _is_no_number(value: object) -> object:
    """Refuse what pydantic would take for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and value.isdecimal()):
        raise ValueError('give a date like "2027-01-31"')
    return value


class Target(Part):
    """Callers named one by one, by the flag's `bucket_by` attribute."""

    variant: Key
    keys: Annotated[tuple[TargetKey, ...], Field(min_length=1, max_length=100_000)]


class Prerequisite(Part):
    """Another flag that must give one of these variants first."""

    flag: Key
    variants: Annotated[tuple[Key, ...], Field(min_length=1, max_length=64)]


class Rule(Part):
    """Callers chosen by their attributes, and what they get."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    when: Condition
    serve: Serve

    @model_validator(mode="after")
    def is_readable(self) -> Self:
        """Refuse conditions nested so deep that nobody can follow them."""
        if depth(self.when) > MAX_DEPTH:
            raise ValueError(f'rule "{self.name}": conditions may be nested {MAX_DEPTH} deep at most')
        return self


class Sticky(Part):
    """For how long, in seconds, a caller stays with what he was given first: for a conversation, say."""

    ttl_s: Annotated[int, Field(ge=1, le=MAX_STICKY_S, strict=True)]


class Flag(Part):
    """A flag: its variants, who gets which, and where everyone else falls."""

    key: Key
    description: Text = ""
    kind: Kind = Kind.RELEASE
    owner: ShortText = ""
    tags: Annotated[tuple[Tag, ...], Field(max_length=64)] = ()
    expires: Annotated[date | None, BeforeValidator(_is_no_number)] = None
    enabled: Annotated[bool, Strict()] = True
    variants: Annotated[dict[Key, Value], Field(min_length=2, max_length=64)]
    off_variant: Key
    bucket_by: CallersAttribute = TARGETING_KEY
    salt: Salt
    bucketing: Bucketing = MURMUR3_100K
    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    targets: Annotated[tuple[Target, ...], Field(max_length=64)] = ()
    prerequisites: Annotated[tuple[Prerequisite, ...], Field(max_length=16)] = ()
    rules: Annotated[tuple[Rule, ...], Field(max_length=256)] = ()
    default: Serve
    schedule: Annotated[Schedule, Field(exclude_if=is_empty)] = ()
    sticky: Annotated[Sticky | None, Field(exclude_if=is_none)] = None
    version: Annotated[int, Field(ge=0, strict=True)] = 0
    updated_at: datetime | None = None
    updated_by: str | None = None

    @property
    def hashes(self) -> tuple[str, ...]:
        """The attributes that name a caller's unit: those that the default splits by."""
        return self.default.by or (self.bucket_by,)

    @model_validator(mode="before")
    @classmethod
    def fills_in_defaults(cls, document: Any) -> Any:
        """Turn a partial document, `key` alone at the least, into a whole one."""
        return with_defaults(document) if isinstance(document, dict) else document

    @model_validator(mode="after")
    def agrees_with_itself(self) -> Self:
        """Refuse values of mixed types, unknown variants, anything named twice, and a schedule that cannot be kept."""
        _check_values(self.variants)
        _check_named_variants(self)
        if self.rules:
            refuse_twice("rules name", [rule.name for rule in self.rules])
        if self.targets:
            refuse_twice("targets name the key", [key for target in self.targets for key in target.keys])
        if self.prerequisites:
            refuse_twice("prerequisites name the flag", [item.flag for item in self.prerequisites])
            if any(item.flag == self.key for item in self.prerequisites):
                raise ValueError("prerequisites: a flag cannot be its own prerequisite")
        if self.schedule:
            check_order(self.schedule)
            phases(self)
        return self


_JSON_TYPES = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def _check_values(variants: dict[str, JsonValue]) -> None:
    types = {_JSON_TYPES[type(value)] for value in variants.values()}
    if len(types) > 1:
        raise ValueError(f"variants must have values of one type, these have {', '.join(sorted(types))}")
    if types & {"array", "null"}:
        raise ValueError("variants must have boolean, string, number or object values")


def _check_named_variants(flag: Flag) -> None:
    variants = flag.variants
    for place, name in _named_variants(flag):
        if name not in variants:
            raise ValueError(f'{place} names the unknown variant "{name}"; known: {", ".join(variants)}')


def _named_variants(flag: Flag) -> Iterator[tuple[str, str]]:
    yield "off_variant", flag.off_variant
    for at, target in enumerate(flag.targets):
        yield f"targets.{at}.variant", target.variant
    for name in flag.default.variants():
        yield "default", name
    for rule in flag.rules:
        for name in rule.serve.variants():
            yield f'rule "{rule.name}"', name
    for at, entry in enumerate(flag.schedule):
        for name in (*(entry.serve.variants() if entry.serve else ()), *((entry.variant,) if entry.variant else ())):
            yield f"schedule.{at}", name
