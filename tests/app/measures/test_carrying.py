"""What is counted waits for SQL within bounds, and is carried once."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

from app.measures import book as book_module
from app.measures import carrying
from app.measures.book import Book, Place
from app.measures.carrying import MeasureCarrier
from app.measures.counts import Counts, merged
from app.measures.ended import Ended
from app.metrics import Metrics
from app.stores.aftermath import Aftermath
from app.stores.measures import HOUR_S, MINUTE_S, Measure, Measures
from app.stores.records import StoreUnavailableError
from app.stores.sqlite import outcomes_sqlite_engine
from routers.attempts import Attempt, Dispatched
from routers.call import Answer
from routers.causes import Cause
from routers.profiles.signals import Signals
from tests.inprocess import Ticking

NEW, LEGACY = Place("rag", "new"), Place("rag", "legacy")


def ended(backend: str | None = "new", cause: Cause | None = None, **fields: object) -> Ended:
    answer = None if backend is None else Answer(200, [], b"")
    carried = Dispatched(answer, backend, (Attempt("new", cause, None, 1.0, ""),))
    return Ended(carried, 200, 100.0, is_whole=True)._replace(**fields)  # type: ignore[arg-type]  # named as they are


class Away:
    """A database that takes nothing until it is back."""

    def __init__(self) -> None:
        self.error: Exception | None = StoreUnavailableError("away")
        self.kept: list[Measure] = []
        self.asked = 0

    async def add_measures(self, measures: Sequence[Measure], merge: Callable[[str, str], str]) -> None:
        del merge
        self.asked += 1
        if self.error is not None:
            raise self.error
        self.kept += measures

    def counts(self, span: int = MINUTE_S) -> Counts:
        return merged(each.body for each in self.kept if each.span == span)


def carrier(book: Book, away: Away) -> MeasureCarrier:
    return MeasureCarrier(book, cast(Measures, away), lambda: 0.5)


def test_a_call_is_counted_for_the_side_that_was_decided() -> None:
    book = Book(Metrics(), Ticking().clock())
    signals = Signals(scores=(0.5, 1.0), cost=0.25, tokens=100)
    book.count_call(NEW, ended(signals=signals, cache="miss"))
    book.count_call(NEW, ended("legacy", Cause.TIMEOUT))
    book.count_call(NEW, ended(None, Cause.CONNECT, status=503, is_whole=False))
    book.count_call(NEW, ended(cache="hit"))
    book.count_call(NEW, ended(is_whole=False, has_left=True, cache="bypass"))
    book.count_outcome(NEW, "rating", 4.0)
    book.count_outcome(LEGACY, "like", 1.0)
    book.count_opened("rag", "new")
    counts = {key[1:3]: each for key, each in book.take().items()}
    new = counts["rag", "new"]
    assert (new.calls, new.errors, new.failures, new.fallbacks) == (5, 2, 1, 1)
    assert (new.hits, new.misses, new.opened) == (1, 1, 1)
    assert new.answered == {"new": 3, "legacy": 1}
    assert new.latency.count == 5
    assert {name: each.total for name, each in new.signals.items()} == {"score": 0.75, "cost": 0.25, "tokens": 100}
    assert new.outcomes["rating"].squares == 16
    assert counts["rag", "legacy"].outcomes["like"].count == 1
    assert book.take() == {}


def test_minutes_are_told_apart_also_when_the_clock_is_set_back() -> None:
    time = Ticking(1_800_000_000)
    book = Book(Metrics(), time.clock())
    for seconds in (0, 59, 60, -60, 0):
        time.seconds = 1_800_000_000 + seconds
        book.count_opened("rag", "new")
    opened = {key[0] - 1_800_000_000: each.opened for key, each in book.take().items()}
    assert opened == {-60: 1, 0: 3, 60: 1}


async def test_what_sql_does_not_take_waits_and_is_carried_once() -> None:
    time, away = Ticking(), Away()
    book = Book(Metrics(), time.clock())
    carries = carrier(book, away)
    for _ in range(5):
        book.count_call(NEW, ended())
        await carries.carry()
        time.seconds += MINUTE_S
    with pytest.raises(StoreUnavailableError):
        await carries.settle()
    away.error = None
    await carries.carry()
    await carries.carry()
    assert away.counts().calls == away.counts(HOUR_S).calls == 5
    assert len({each.start for each in away.kept if each.span == MINUTE_S}) == 5


async def test_an_error_nobody_thought_of_loses_nothing() -> None:
    away = Away()
    book = Book(Metrics(), Ticking().clock())
    carries = carrier(book, away)
    away.error = ValueError("a body that cannot be read")
    book.count_call(NEW, ended())
    await carries.carry()
    away.error = None
    await carries.carry()
    assert away.counts().calls == 1


def test_what_waits_is_bounded_and_what_is_lost_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MOST_MINUTES", 3)
    metrics, time = Metrics(), Ticking()
    book = Book(metrics, time.clock())
    for _ in range(5):
        book.count_call(NEW, ended())
        time.seconds += MINUTE_S
    assert len(book.take()) == 3
    assert [count for _, count in metrics._measures_lost.read()] == [[2]]


async def test_what_is_being_carried_at_a_stop_goes_on_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "EVERY_S", 0)
    began, may_end = asyncio.Event(), asyncio.Event()

    class Slow(Away):
        async def add_measures(self, measures: Sequence[Measure], merge: Callable[[str, str], str]) -> None:
            began.set()
            await may_end.wait()
            await super().add_measures(measures, merge)

    slow = Slow()
    book = Book(Metrics(), Ticking().clock())
    carries = carrier(book, slow)
    book.count_call(NEW, ended())
    running = asyncio.create_task(carries.run())
    await began.wait()
    running.cancel()
    book.count_call(NEW, ended())
    closing = asyncio.create_task(carries.close())
    slow.error = None
    may_end.set()
    await closing
    assert slow.counts().calls == 2


async def test_a_crash_loses_what_was_not_carried_and_no_more(tmp_path: Path) -> None:
    async with Aftermath(outcomes_sqlite_engine(tmp_path / "outcomes.db")) as store:
        for carried, lost in ((3, 1), (4, 2)):
            book = Book(Metrics(), Ticking().clock())
            carries = MeasureCarrier(book, store, lambda: 0.5)
            for _ in range(carried):
                book.count_call(NEW, ended())
            await carries.carry()
            for _ in range(lost):
                book.count_call(NEW, ended())
        kept = await store.measures("rag", 0, HOUR_S)
        assert merged(each.body for each in kept).calls == 7
