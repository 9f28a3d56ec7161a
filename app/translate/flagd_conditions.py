"""Questions about an attribute, and what depends on their answers."""

from pydantic import JsonValue

from app.translate.logic import When, every, opposite, some
from app.translate.model import Document


def compare(attribute: str, op: str, value: JsonValue, coerced: str | None = None) -> When:
    """Return one comparison, of the attribute as it is or `coerced` to a "number" or "string"."""
    document: Document = {"attribute": attribute, "op": op, "value": value}
    return document if coerced is None else document | {"as": coerced}


def is_missing(attribute: str) -> When:
    """Return what holds for callers without the attribute, or with null."""
    return compare(attribute, "exists", False)


def is_text(attribute: str) -> When:
    """Return what holds for callers with any text in the attribute, the empty one too."""
    return compare(attribute, "starts_with", "")


def chosen(when: When, then: When, otherwise: When) -> When:
    """Return what holds where `then` does under `when`, and elsewhere where `otherwise` does."""
    if then is True:
        return some((when, otherwise))
    if otherwise is True:
        return some((opposite(when), then))
    return some((every((when, then)), every((opposite(when), otherwise))))
