"""GrowthBook's prerequisites: values that another feature must have, told as variants that it must give."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter

from app.translate.growthbook_attributes import place_of
from app.translate.growthbook_conditions import Targeting
from app.translate.growthbook_groups import Groups
from app.translate.model import Document, Options, UnsayableError
from flags.conditions import Condition
from flags.predicates import predicate

VALUE = "value"
_CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)


@dataclass(frozen=True, slots=True)
class Parent:
    """A feature that others stand on: its variants, and whether it gives null below a closed gate."""

    variants: dict[str, JsonValue]
    is_gated: bool


Find = Callable[[str, str], Parent]
"""From a feature's key and the place that asks for it. Raises UnsayableError."""

Wanted = dict[str, frozenset[str]]
"""The variants that flags must give, by the flags' keys."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a rule asks of other features: for itself, or as gates of the whole feature."""

    gates: Wanted
    own: Wanted


def read(documents: JsonValue, place: str, find: Find) -> Conditions:
    """Return the prerequisites of a rule. Raises UnsayableError."""
    gates: Wanted = {}
    own: Wanted = {}
    for at, document in enumerate(documents if isinstance(documents, list) else [documents]):
        if not isinstance(document, dict):
            raise UnsayableError(place, "prerequisites are a list of objects")
        if document.get("id") is not None:
            key, wanted = _variants(document, place_of(place, at), find)
            group = gates if document.get("gate") else own
            group[key] = wanted & group.get(key, wanted)
            if not group[key]:
                raise UnsayableError(place_of(place, at), f'no value of "{key}" is enough for all that is asked of it')
    if gates and own:
        raise UnsayableError(place, "gates beside prerequisites that are none")
    return Conditions(gates, own)


def documents(wanted: Iterable[Wanted]) -> list[JsonValue]:
    """Return the prerequisites of a flag of ours: all of those wanted."""
    together: Wanted = {}
    for each in wanted:
        for key, variants in each.items():
            together[key] = variants & together.get(key, variants)
    return [{"flag": key, "variants": [*sorted(variants)]} for key, variants in together.items()]


def _variants(document: Document, place: str, find: Find) -> tuple[str, frozenset[str]]:
    key = document["id"]
    if not isinstance(key, str):
        raise UnsayableError(place_of(place, "id"), "a feature's key is a string")
    parent = find(key, place)
    passes = _passing(document.get("condition"), place_of(place, "condition"))
    wanted = frozenset(name for name, value in parent.variants.items() if passes(value))
    if not wanted:
        raise UnsayableError(place, f'no value that "{key}" can have is enough')
    if parent.is_gated and passes(None) != passes(False):
        raise UnsayableError(place, f'"{key}" gives null below a closed gate, which is told from false here')
    return key, wanted


def _passing(condition: JsonValue, place: str) -> Callable[[JsonValue], bool]:
    told = Targeting(Options(), Groups({}, Options())).condition({} if condition is None else condition, place)
    if isinstance(told, bool):
        return lambda _value: told
    holds = predicate(_CONDITION.validate_python(told), {})
    return lambda value: holds({VALUE: value})
