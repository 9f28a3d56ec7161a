"""What an answer tells of its own quality, read as a value."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from routers.compare.reading import name_of
from routers.profiles.model import SignalPaths

LONGEST_TEXT = 256

MOST = 1e15
"""A number beyond it is no signal: one of them would drown the sums for good."""


class Signals(NamedTuple):
    """What one answer told; what it did not tell, or not in a form that can be read, is None or empty.

    `results` counts the results, `items` are the ids of the first 100, best first. `cache_hit` is a share of 0 to 1,
    `cost` in the currency the backend counts in, `fallback` why the backend itself fell back.
    """

    results: int | None = None
    items: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    cache_hit: float | None = None
    tokens: float | None = None
    cost: float | None = None
    fallback: str | None = None
    processing_ms: float | None = None

    @property
    def score(self) -> float | None:
        """The mean of the scores."""
        return sum(self.scores) / len(self.scores) if self.scores else None


NO_SIGNALS = Signals()


def signals_of(paths: SignalPaths, document: Any) -> Signals:
    """Read an answer's signals from where the paths lead; total: what is not there, or is no signal, is left out."""
    find = paths.finders
    results, items = _items(paths, document)
    return Signals(
        results,
        items,
        _scores(paths, document),
        _share(find["cache_hit"](document)),
        _amount(find["tokens"](document)),
        _amount(find["cost"](document)),
        _cause(find["fallback"](document)),
        _total(find["processing_ms"](document)),
    )


def _items(paths: SignalPaths, document: Any) -> tuple[int | None, tuple[str, ...]]:
    """Count the results, and name the first ones; one without an id leaves all unnamed."""
    if paths.item_finder is None:
        return None, ()
    find_list, find_each = paths.item_finder
    elements = find_list(document)
    if not isinstance(elements, list):
        return None, ()
    return len(elements), _names(find_each(elements))


def _names(values: Iterable[Any]) -> tuple[str, ...]:
    if not all(isinstance(value, str | int | float) for value in values):
        return ()
    return tuple([name_of(value)[:LONGEST_TEXT] for value in values])


def _scores(paths: SignalPaths, document: Any) -> tuple[float, ...]:
    if paths.score_finder is None:
        values = [paths.finders["scores"](document)]
    else:
        find_list, find_each = paths.score_finder
        elements = find_list(document)
        values = find_each(elements) if isinstance(elements, list) else []
    return tuple(values) if all(map(_is_number, values)) else ()


def _is_number(value: Any) -> bool:
    kind = type(value)
    return (kind is float or kind is int) and -MOST <= value <= MOST


def _amount(value: Any) -> float | None:
    return value if _is_number(value) and value >= 0 else None


def _share(value: Any) -> float | None:
    if isinstance(value, bool):
        return float(value)
    return value if _is_number(value) and 0 <= value <= 1 else None


def _total(value: Any) -> float | None:
    if not isinstance(value, dict):
        return _amount(value)
    parts = [_amount(part) for part in value.values()]
    known = [part for part in parts if part is not None]
    return _amount(sum(known)) if known and len(known) == len(parts) else None


def _cause(value: Any) -> str | None:
    if isinstance(value, str) and value:
        return value[:LONGEST_TEXT]
    return "unnamed" if value is True else None
