"""What an answer tells of its own quality, read as a value."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from routers.compare.paths import Step, Wild, at
from routers.compare.reading import name_of
from routers.profiles.model import SignalPaths

MOST_ITEMS = 100
"""Of how many results ids and scores are kept; all are counted."""

LONGEST_TEXT = 256

MOST = 1e15
"""A number beyond it is no signal: one of them would drown the sums for good."""


class Signals(NamedTuple):
    """What one answer told; what it did not tell, or not in a form that can be read, is None or empty.

    `results` counts the results, `items` are the ids of the first ones, best first. `cache_hit` is a share of 0 to 1,
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

    def amounts(self) -> Iterator[tuple[str, float]]:
        """Yield what was told in numbers, each with its name; of the scores their mean."""
        told = (self.results, self.score, self.cache_hit, self.tokens, self.cost, self.processing_ms)
        return ((name, amount) for name, amount in zip(AMOUNTS, told, strict=True) if amount is not None)


AMOUNTS = ("results", "score", "cache_hit", "tokens", "cost", "processing_ms")
"""The names of `Signals.amounts`."""

NO_SIGNALS = Signals()


def signals_of(paths: SignalPaths, document: Any) -> Signals:
    """Read an answer's signals from where the paths lead; total: what is not there, or is no signal, is left out."""
    steps = paths.steps
    results, items = _items(document, steps.get("items"))
    return Signals(
        results,
        items,
        _scores(document, steps.get("scores")),
        _share(_at(document, steps.get("cache_hit"))),
        _amount(_at(document, steps.get("tokens"))),
        _amount(_at(document, steps.get("cost"))),
        _cause(_at(document, steps.get("fallback"))),
        _total(_at(document, steps.get("processing_ms"))),
    )


def _at(document: Any, steps: Sequence[Step] | None) -> Any:
    return None if steps is None else at(document, steps)


def _items(document: Any, steps: Sequence[Step] | None) -> tuple[int | None, tuple[str, ...]]:
    """Count the results, and name the first ones; one without an id leaves all unnamed."""
    if steps is None:
        return None, ()
    results, values = _each(document, steps)
    named = all(isinstance(value, str | int | float) for value in values)
    return results, tuple(name_of(value)[:LONGEST_TEXT] for value in values) if named else ()


def _scores(document: Any, steps: Sequence[Step] | None) -> tuple[float, ...]:
    if steps is None:
        return ()
    values = _each(document, steps)[1] if Wild.ANY in steps else [at(document, steps)]
    return tuple(values) if all(map(_is_number, values)) else ()


def _each(document: Any, steps: Sequence[Step]) -> tuple[int | None, list[Any]]:
    """Return how long the list is that the steps lead through, and what stands in its first elements."""
    wild = steps.index(Wild.ANY)
    elements = at(document, steps[:wild])
    if not isinstance(elements, list):
        return None, []
    below = steps[wild + 1 :]
    return len(elements), [at(element, below) for element in elements[:MOST_ITEMS]]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST <= value <= MOST


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
    return sum(known) if known and len(known) == len(parts) else None


def _cause(value: Any) -> str | None:
    if isinstance(value, str) and value:
        return value[:LONGEST_TEXT]
    return "unnamed" if value is True else None
