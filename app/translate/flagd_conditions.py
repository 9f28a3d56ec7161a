"""Conditions put together: documents as `flags.conditions` reads them, true or false where there is nothing to ask."""

from collections.abc import Iterable

from pydantic import JsonValue

from app.translate.model import Document

Condition = Document | bool


def compare(attribute: str, op: str, value: JsonValue, coerced: str | None = None) -> Condition:
    """Return one comparison, of the attribute as it is or `coerced` to a "number" or "string"."""
    document: Document = {"attribute": attribute, "op": op, "value": value}
    return document if coerced is None else document | {"as": coerced}


def is_missing(attribute: str) -> Condition:
    """Return what holds for callers without the attribute, or with null."""
    return compare(attribute, "exists", False)


def is_text(attribute: str) -> Condition:
    """Return what holds for callers with any text in the attribute, the empty one too."""
    return compare(attribute, "starts_with", "")


def both(*conditions: Condition) -> Condition:
    """Return what holds where all of these hold."""
    if any(condition is False for condition in conditions):
        return False
    return _joined("all", (condition for condition in conditions if not isinstance(condition, bool)), empty=True)


def either(*conditions: Condition) -> Condition:
    """Return what holds where one of these holds."""
    if any(condition is True for condition in conditions):
        return True
    return _joined("any", (condition for condition in conditions if not isinstance(condition, bool)), empty=False)


def negated(condition: Condition) -> Condition:
    """Return what holds where this does not."""
    match condition:
        case bool():
            return not condition
        case {"not": dict() as inner}:
            return inner
        case {"op": "exists", "attribute": str() as attribute, "value": bool() as value}:
            return compare(attribute, "exists", not value)
    return {"not": condition}


def chosen(when: Condition, then: Condition, otherwise: Condition) -> Condition:
    """Return what holds where `then` does under `when`, and elsewhere where `otherwise` does."""
    if then is True:
        return either(when, otherwise)
    if otherwise is True:
        return either(negated(when), then)
    return either(both(when, then), both(negated(when), otherwise))


def _joined(word: str, conditions: Iterable[Document], *, empty: bool) -> Condition:
    parts: list[JsonValue] = []
    for condition in conditions:
        match condition:
            case {**inner} if [*inner] == [word]:
                items = inner[word]
                parts.extend(item for item in items if item not in parts) if isinstance(items, list) else None
            case _ if condition not in parts:
                parts.append(condition)
    if not parts:
        return empty
    only = parts[0]
    return only if len(parts) == 1 and isinstance(only, dict) else {word: parts}
