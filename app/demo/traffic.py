"""Who asks what, and the stream of it: questions that come at their own pace, however the answers fare."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from types import TracebackType
from typing import Self, TypeVar

from backends.rag.questions import Question

USERS = 2400
PER_SECOND = 40
MOST_OPEN = 256
AT_ONCE = 4

Thing = TypeVar("Thing")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Sample:
    """One real question and what its user saw; times are seconds of one monotonic clock.

    `decided` is the side the user belongs to, `backend` the side that answered; `error` is None for a complete answer
    and says otherwise what was wrong.
    """

    user: str
    question: Question
    started: float
    ended: float
    decided: str = ""
    backend: str = ""
    fallback: str | None = None
    topics: tuple[str, ...] = ()
    error: str | None = None

    @property
    def ms(self) -> float:
        """How long the user waited for the whole answer, in milliseconds."""
        return (self.ended - self.started) * 1000


Ask = Callable[[str, Question], Awaitable[Sample]]


def user_names(count: int = USERS) -> tuple[str, ...]:
    """Return the keys of all users; a few write theirs beyond ASCII, as users do."""
    return tuple(f"{'josé' if number % 51 == 0 else 'user'}-{number:04}" for number in range(1, count + 1))


def asked_in_turn(users: Sequence[str], questions: Sequence[Question]) -> Iterator[tuple[str, Question]]:
    """Let all users ask in turn, and take all questions in turn, for ever."""
    return zip(cycle(users), cycle(questions), strict=False)


async def one_by_each(
    things: Sequence[Thing], call: Callable[[Thing], Awaitable[Result]], at_once: int = AT_ONCE
) -> list[Result]:
    """Call for each thing, `at_once` at a time, and return the results in the same order."""
    gate = asyncio.Semaphore(at_once)

    async def one(thing: Thing) -> Result:
        async with gate:
            return await call(thing)

    return await asyncio.gather(*(one(thing) for thing in things))


class Stream:
    """Asks `PER_SECOND` questions a second while it is entered; a slow answer does not hold the next question up."""

    def __init__(
        self,
        ask: Ask,
        pairs: Iterator[tuple[str, Question]],
        per_second: float = PER_SECOND,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`clock` is that of the samples' moments, at the pace of the event loop's."""
        self._ask = ask
        self._clock = clock
        self._pairs = pairs
        self._gap = 1 / per_second
        self._open: set[asyncio.Task[None]] = set()
        self._samples: list[Sample] = []

    async def __aenter__(self) -> Self:
        """Let it flow."""
        self._source = asyncio.create_task(self._flow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask nothing more, and wait for the last answers."""
        self._source.cancel()
        with suppress(asyncio.CancelledError):
            await self._source
        await asyncio.gather(*self._open)

    async def since(self, moment: float) -> list[Sample]:
        """Return every question asked since `moment` and before this call, answered by now or waited for."""
        until = self._clock()
        await asyncio.gather(*self._open)
        return [sample for sample in self._samples if moment <= sample.started <= until]

    async def _flow(self) -> None:
        due = self._clock()
        while True:
            await asyncio.sleep(due - self._clock())
            if len(self._open) < MOST_OPEN:
                task = asyncio.create_task(self._one(*next(self._pairs)))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
            due = max(due, self._clock()) + self._gap

    async def _one(self, user: str, question: Question) -> None:
        self._samples.append(await self._ask(user, question))
