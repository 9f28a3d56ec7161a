"""flagd's `fractional`: callers divided by a hash, as its second version does it."""

from collections.abc import Sequence

from pydantic import JsonValue

from app.translate.flagd_comparisons import is_filled
from app.translate.flagd_conditions import compare, is_missing
from app.translate.flagd_tree import Attribute, Constant, Joined, Leaf, Tree, branch, constant, divided
from app.translate.flagd_values import CannotSayError
from app.translate.logic import opposite
from flags.bucketing import digest

MAX_TOTAL = 2**31 - 1
_NOBODY = constant(None)

Parts = list[tuple[Constant, int]]


def fractional(operands: Sequence[Leaf], flag_key: str, targeting_key: str) -> Tree:
    """Return who gets what; a caller without what is hashed gets null. Raises `CannotSayError`.

    `operands` are what is hashed, the flag's key and the caller's unless given, and lists of a value and its weight.
    """
    hashed, behind = operands[0] if operands else _NOBODY, operands[1:]
    if isinstance(hashed, Constant) and isinstance(hashed.value, list):
        return _among(flag_key, targeting_key, _parts(operands))
    parts = _parts(behind)
    match hashed:
        case Constant(value):
            return _drawn(parts, value) if isinstance(value, str) else _NOBODY
        case Attribute(name):
            return _among("", name, parts)
        case Joined(prefix, attribute):
            return _among_joined(prefix, attribute, parts)
    return _NOBODY


def _among(salt: str, attribute: str, parts: Parts | None) -> Tree:
    return branch(opposite(is_filled(attribute)), _NOBODY, divided(salt, attribute, parts)) if parts else _NOBODY


def _among_joined(prefix: str, attribute: str, parts: Parts | None) -> Tree:
    """Return who gets what where all text is hashed: callers without the attribute are hashed as "null"."""
    if not parts:
        return _NOBODY
    with_text = divided(prefix, attribute, parts)
    filled = branch(compare(attribute, "eq", ""), _drawn(parts, prefix), with_text)
    return branch(is_missing(attribute), _drawn(parts, f"{prefix}null"), filled)


def _drawn(parts: Parts | None, key: str) -> Tree:
    """Return what one key gets."""
    if not parts or not key:
        return _NOBODY
    place = digest(key.encode()) * sum(weight for _, weight in parts) >> 32
    for leaf, weight in parts:
        if place < weight:
            return leaf
        place -= weight
    return _NOBODY


def _parts(operands: Sequence[Leaf]) -> Parts | None:
    """Return what is divided and how, None where flagd finds the weights unusable and gives nobody anything."""
    parts = []
    for leaf in operands:
        if not isinstance(leaf, Constant):
            raise CannotSayError("The shares of a fractional are an attribute.")
        part = _part(leaf.value)
        if part is None:
            return None
        parts.append(part)
    return parts if 0 < sum(weight for _, weight in parts) <= MAX_TOTAL else None


def _part(value: JsonValue) -> tuple[Constant, int] | None:
    match value:
        case [variant]:
            return constant(variant), 1
        case [variant, bool()]:
            return None
        case [variant, int() as weight]:
            return constant(variant), max(0, weight)
    return None
