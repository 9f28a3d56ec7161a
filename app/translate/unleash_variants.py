"""Unleash's variants told as variants with values, and their weights as splits.

Where all payloads are of one type they are the values; without any payload the names are, and else objects of both.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import JsonValue

from app.translate.logic import When, every
from app.translate.model import Document, Options, UnsayableError
from app.translate.unleash_conditions import attribute_of, member
from app.translate.unleash_model import Override, Payload, Variant
from app.translate.unleash_strategies import DEFAULT, RANDOM, hashed_by
from flags.bucketing import BUCKETS

EMPTY: Mapping[type, JsonValue] = {str: "", int: 0, float: 0, dict: {}, bool: False}
"""What callers get who have no variant, by the type of the values."""


class Variants:
    """All variants of one feature by name, those of its strategies too."""

    def __init__(self) -> None:
        self._payloads: dict[str, JsonValue] = {}

    def add(self, variants: Iterable[Variant], place: str) -> None:
        """Take variants in. Raises UnsayableError for a name that stands for two payloads, and a broken payload."""
        for at, variant in enumerate(variants):
            payload = _payload(variant.payload, f"{place}[{at}].payload")
            known = self._payloads.setdefault(variant.name, payload)
            if _text(known) != _text(payload):
                raise UnsayableError(f"{place}[{at}]", f'"{variant.name}" has another payload in another place')

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self._payloads)

    def free_name(self, *wished: str) -> str:
        """Return the first of the names that no variant has."""
        return next(name for name in (*wished, *(f"{wished[-1]}-{at}" for at in range(64))) if name not in self)

    def __contains__(self, name: str) -> bool:
        """Say whether a variant has the name."""
        return name in self._payloads

    def values(self, without: Iterable[str]) -> dict[str, JsonValue]:
        """Return the value of each variant, and of those names that stand for none."""
        kinds = {type(payload) for payload in self._payloads.values()}
        kinds = {float} if kinds == {int, float} else kinds
        if not self:
            return {}
        if kinds == {type(None)}:
            return {name: name for name in (*self._payloads, *without)}
        if len(kinds) == 1 and (kind := next(iter(kinds))) in EMPTY:
            return {**self._payloads, **dict.fromkeys(without, EMPTY[kind])}
        wrapped: dict[str, JsonValue] = {
            name: {"name": name, "payload": payload} for name, payload in self._payloads.items()
        }
        return {**wrapped, **{name: {"name": name, "payload": None} for name in without}}


def overridden(variants: Sequence[Variant], options: Options, place: str) -> Iterator[tuple[str, When, str]]:
    """Yield who has a variant because of a field: that field's name, the condition and the variant."""
    for at, variant in enumerate(variants):
        for each, override in enumerate(variant.overrides):
            told = _override(override, options, f"{place}[{at}].overrides[{each}]")
            yield override.context_name, told, variant.name


def served(variants: Sequence[Variant], stickiness: str, salt: str, off: str, options: Options, place: str) -> Document:
    """Return what callers among these variants are given, as a `serve`. Raises UnsayableError."""
    weights = {variant.name: variant.weight for variant in variants}
    total = sum(weights.values())
    if len(weights) < len(variants):
        raise UnsayableError(place, "two variants have the same name")
    if total <= 0 or min(weights.values()) < 0:
        raise UnsayableError(place, "the weights are not positive in sum, which Unleash itself cannot divide by")
    with_some = [name for name, weight in weights.items() if weight]
    if len(with_some) == 1:
        return {"variant": with_some[0]}
    if stickiness == RANDOM:
        raise UnsayableError(place, "by chance at every call: nobody stays with what he was given")
    shares: list[JsonValue] = [{"variant": off, "weight": 0}]
    for name, weight in _apportioned(weights, total).items():
        shares.append({"variant": name, "weight": weight, "rest_weight": weights[name]})
    return {"split": shares, "by": [*hashed_by(stickiness, options, place)], "salt": salt}


def stickiness_of(variants: Sequence[Variant]) -> str:
    """Return what a feature's variants are hashed by: what the first of them says."""
    return (variants[0].stickiness if variants else None) or DEFAULT


def _apportioned(weights: Mapping[str, int], total: int) -> dict[str, int]:
    floors = {name: BUCKETS * weight // total for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: -(BUCKETS * weights[name] % total))
    for name in by_remainder[: BUCKETS - sum(floors.values())]:
        floors[name] += 1
    return floors


def _override(override: Override, options: Options, place: str) -> When:
    return every([member(attribute_of(override.context_name, options, place), override.values)])


def _payload(payload: Payload | None, place: str) -> JsonValue:
    if payload is None:
        return None
    if payload.type not in {"json", "number"}:
        return payload.value
    try:
        value: JsonValue = json.loads(payload.value, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise UnsayableError(f"{place}.value", f"this is no {payload.type}") from error
    if payload.type == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UnsayableError(f"{place}.value", "this is no number")
    return value


def _refused(constant: str) -> JsonValue:
    raise ValueError(constant)


def _text(payload: JsonValue) -> str:
    return json.dumps(payload, sort_keys=True)
