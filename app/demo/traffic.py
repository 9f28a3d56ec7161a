"""Who asks what, and the stream of it: questions that come at their own pace, however the answers fare."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from backends.rag.questions import Question

USERS = 2400
PER_SECOND = 40
MOST_OPEN = 256
AT_ONCE = 4

Thing = TypeVar("Thing")
Result = TypeVar("Result")
Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class Visit:
    """One real call of one user and what he saw; times are seconds of one monotonic clock.

    `decided` is the side the user belongs to, `backend` the side that answered; `error` is None for a complete answer
    and says otherwise what was wrong; `answer` is its JSON; `version` is that of the flag.
    """

    user: str
    started: float
    ended: float
    decided: str = ""
    backend: str = ""
    fallback: str | None = None
    error: str | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0
    decision_id: str = ""

    @property
    def ms(self) -> float:
        """How long the user waited for the whole answer, in milliseconds."""
        return (self.ended - self.started) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Visit):
    """A visit with a question about the Python language, and the topics of the passages found."""

    question: Question
    topics: tuple[str, ...] = ()


Seen = TypeVar("Seen", bound=Visit)


def user_names(count: int = USERS) -> tuple[str, ...]:
    """Return the keys of all users; a few write theirs beyond ASCII, as users do."""
    return tuple(f"{'josé' if number % 51 == 0 else 'user'}-{number:04}" for number in range(1, count + 1))


def asked_in_turn(users: Sequence[str], questions: Sequence[Asked]) -> Iterator[tuple[str, Asked]]:
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


class Stream(Generic[Asked, Seen]):
    """Asks `PER_SECOND` questions a second while it is entered; a slow answer does not hold the next question up."""

    def __init__(
        self,
        ask: Callable[[str, Asked], Awaitable[Seen]],
        pairs: Iterator[tuple[str, Asked]],
        per_second: float = PER_SECOND,
        clock: Callable[[], float] = time.perf_counter,
        most_open: int = MOST_OPEN,
    ) -> None:
        """`clock` is that of the samples' moments, at the pace of the event loop's; `most_open` wait at most."""
        self._ask = ask
        self._clock = clock
        self._pairs = pairs
        self._gap = 1 / per_second
        self._most_open = most_open
        self._open: set[asyncio.Task[None]] = set()
        self._samples: list[Seen] = []

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

    async def since(self, moment: float) -> list[Seen]:
        """Return every question asked since `moment` and before this call, answered by now or waited for."""
        until = self._clock()
        await asyncio.gather(*self._open)
        return [sample for sample in self._samples if moment <= sample.started <= until]

    async def _flow(self) -> None:
        due = self._clock()
        while True:
            await asyncio.sleep(due - self._clock())
            if len(self._open) < self._most_open:
                task = asyncio.create_task(self._one(*next(self._pairs)))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
            due = max(due, self._clock()) + self._gap

    async def _one(self, user: str, question: Asked) -> None:
        self._samples.append(await self._ask(user, question))
