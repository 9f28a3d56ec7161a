"""What was counted waits for SQL within bounds, and is carried once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from app.clock import Clock
from app.shadows import ledger
from app.shadows.ledger import Ledger, Place
from app.stores.comparisons import Comparisons, Counted, Example
from app.stores.records import StoreUnavailableError

HERE = Place("rag", "legacy", "new")
NOW = datetime(2027, 1, 1, tzinfo=UTC)
CLOCK = Clock(wall=NOW.timestamp, monotonic=NOW.timestamp)


class Away:
    """A database that takes nothing until it is back."""

    def __init__(self) -> None:
        self.is_back = False
        self.counts: Counter[str] = Counter()
        self.examples: list[int] = []

    async def add_comparisons(
        self, counted: Sequence[Counted], examples: Sequence[Example], most: Mapping[str, int], now: datetime
    ) -> None:
        del most, now
        if not self.is_back:
            raise StoreUnavailableError("away")
        self.counts.update({each.name: each.number for each in counted})
        self.examples += [each.millionths for each in examples]


def before(away: Away) -> Ledger:
    return Ledger(cast(Comparisons, away), CLOCK, lambda: 0.5)


def example(millionths: int) -> Example:
    return Example(*HERE, "id", NOW, NOW + timedelta(days=1), millionths, "{}")


async def test_what_sql_does_not_take_waits_and_is_carried_once() -> None:
    away = Away()
    book = before(away)
    for number in range(5):
        book.count(HERE, {"a": 1, "b": 2})
        book.keep(example(number), 3)
        await book.carry()
    with pytest.raises(StoreUnavailableError):
        await book.settle()
    away.is_back = True
    await book.carry()
    await book.carry()
    assert (away.counts, away.examples) == ({"a": 5, "b": 10}, [0, 1, 2])


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_PLACES", 2)
    away: Any = Away()
    book = before(away)
    for name in ("one", "two", "three", "one"):
        book.count(Place(name, "legacy", "new"), {name: 1})
    away.is_back = True
    await book.settle()
    assert away.counts == {"one": 2, "two": 1}
