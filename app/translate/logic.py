"""Conditions of ours put together; what is always or never true, which no condition of ours says, folds away."""

from collections.abc import Iterable

from app.translate.model import Document

When = Document | bool
"""A condition document, or True for everybody and False for nobody."""


def every(conditions: Iterable[When]) -> When:
    """Return what holds when all of them hold."""
    return _joined("all", conditions, absorbing=False)


def some(conditions: Iterable[When]) -> When:
    """Return what holds when at least one of them holds."""
    return _joined("any", conditions, absorbing=True)


def opposite(condition: When) -> When:
    """Return what holds when it does not."""
    if isinstance(condition, bool):
        return not condition
    inner = condition.get("not")
    return inner if isinstance(inner, dict) else {"not": condition}


def _joined(form: str, conditions: Iterable[When], *, absorbing: bool) -> When:
    parts: list[Document] = []
    for condition in conditions:
        if condition is absorbing:
            return absorbing
        if isinstance(condition, dict):
            inner = condition.get(form)
            parts += [part for part in inner if isinstance(part, dict)] if isinstance(inner, list) else [condition]
    if len(parts) > 1:
        return {form: [*parts]}
    return parts[0] if parts else not absorbing
