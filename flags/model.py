"""The flag document: API schema, stored form and evaluator's input in one frozen model."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    Strict,
    StringConstraints,
    model_validator,
)

from .bucketing import BUCKETS
from .conditions import MAX_DEPTH, Condition, depth
from .context import MAX_KEY_LENGTH, TARGETING_KEY
from .defaults import with_defaults
from .names import Key, Kind
from .values import Value

AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=2000)]
ShortText = Annotated[str, StringConstraints(max_length=128)]
Weight = Annotated[int, Field(ge=0, le=BUCKETS, strict=True)]
TargetKey = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_LENGTH)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=128)]


def _is_none(value: object) -> bool:
    return value is None


def _is_no_number(value: object) -> object:
    """Refuse what pydantic would take for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and value.isdecimal()):
        raise ValueError('give a date like "2027-01-31"')
    return value


class Part(BaseModel):
    """A piece of a document: frozen, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Share(Part):
    """One variant's part of a split: `weight` in hundred-thousandths of all callers.

    `rest_weight` is its weight among the variants behind the first, in any unit. It is what keeps their
    proportions exact while `weight` shrinks to whole hundred-thousandths; without it `weight` serves.
    """

    variant: Key
    weight: Weight
    rest_weight: Annotated[Weight | None, Field(exclude_if=_is_none)] = None

    def among_the_rest(self) -> int:
        """Return the weight that counts among the variants behind the first."""
        return self.weight if self.rest_weight is None else self.rest_weight


class Serve(Part):
    """What to give: one variant, or a split. The first variant of a split is the growing one."""

    variant: Annotated[Key | None, Field(exclude_if=_is_none)] = None
    split: Annotated[tuple[Share, ...] | None, Field(min_length=1, max_length=64, exclude_if=_is_none)] = None

    @model_validator(mode="after")
    def gives_one_thing(self) -> Self:
        """Refuse neither or both, weights off 100,000, a variant named twice and rest weights that disagree."""
        if (self.variant is None) == (self.split is None):
            raise ValueError('give exactly one of "variant" and "split"')
        if self.split is not None:
            _check_split(self.split)
        return self

    def variants(self) -> tuple[str, ...]:
        """Return the variants this can give."""
        if self.split is not None:
            return tuple(share.variant for share in self.split)
        return (self.variant,) if self.variant is not None else ()


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
    bucket_by: AttributeName = TARGETING_KEY
    salt: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    bucketing: Literal["murmur3-100k"] = "murmur3-100k"
    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] | None = None
    targets: Annotated[tuple[Target, ...], Field(max_length=64)] = ()
    prerequisites: Annotated[tuple[Prerequisite, ...], Field(max_length=16)] = ()
    rules: Annotated[tuple[Rule, ...], Field(max_length=256)] = ()
    default: Serve
    version: Annotated[int, Field(ge=0, strict=True)] = 0
    updated_at: datetime | None = None
    updated_by: str | None = None

    @model_validator(mode="before")
    @classmethod
    def fills_in_defaults(cls, document: Any) -> Any:
        """Turn a partial document, `key` alone at the least, into a whole one."""
        return with_defaults(document) if isinstance(document, dict) else document

    @model_validator(mode="after")
    def agrees_with_itself(self) -> Self:
        """Refuse values of mixed types, unknown variants, and anything named twice."""
        _check_values(self.variants)
        _check_named_variants(self)
        if self.rules:
            _refuse_twice("rules name", [rule.name for rule in self.rules])
        if self.targets:
            _refuse_twice("targets name the key", [key for target in self.targets for key in target.keys])
        if self.prerequisites:
            _refuse_twice("prerequisites name the flag", [item.flag for item in self.prerequisites])
            if any(item.flag == self.key for item in self.prerequisites):
                raise ValueError("prerequisites: a flag cannot be its own prerequisite")
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


def _check_split(split: tuple[Share, ...]) -> None:
    _refuse_twice("split names the variant", [share.variant for share in split])
    total = sum(share.weight for share in split)
    if total != BUCKETS:
        raise ValueError(f"split weights must sum to {BUCKETS:,} (hundred-thousandths), these sum to {total:,}")
    if split[0].rest_weight is not None:
        raise ValueError("split: the first variant is the growing one and has no rest_weight")
    _check_rest(split[1:])


def _check_rest(rest: tuple[Share, ...]) -> None:
    given = [share.rest_weight for share in rest if share.rest_weight is not None]
    if not given:
        return
    total = sum(given)
    if len(given) != len(rest) or total == 0:
        raise ValueError("split: give rest_weight to all variants behind the first, not all zero, or to none")
    weight = sum(share.weight for share in rest)
    for share, own in zip(rest, given, strict=True):
        if abs(share.weight * total - weight * own) > total:
            raise ValueError(f'split: weight and rest_weight of "{share.variant}" disagree; leave rest_weight out')


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


def _refuse_twice(what: str, names: list[str]) -> None:
    if len({*names}) == len(names):
        return
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f'{what} "{name}" twice')
        seen.add(name)
