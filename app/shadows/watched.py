"""A call whose caller is being answered, and what of it the other side's answer will be compared with."""

from collections.abc import AsyncIterator
from typing import Self

from routers.attempts import Dispatched
from routers.call import Answer, Call
from routers.compare.reading import MOST_BYTES
from routers.model import Route
from routers.pairs import Pair
from routers.shadow import Reply, encoding_of, failure_of
from routers.shadowing import Shadow
from routers.streams import close


class Watched:
    """One sampled call: its answer is kept up to MOST_BYTES while it goes to its caller."""

    def __init__(
        self,
        route: Route,
        shadow: Shadow,
        pair: Pair,
        decision_id: str,
        call: Call,
        carried: Dispatched,
        answer: Answer,
    ) -> None:
        self.route = route
        self.shadow = shadow
        self.pair = pair
        self.id = decision_id
        self.served_by_control = carried.backend == pair.control
        self.call = call
        self.is_whole = answer.rest is None
        self._answer = answer
        self._seconds = carried.attempts[-1].elapsed_ms / 1000
        self._pieces: list[bytes] = []
        self._size = 0
        self.take(answer.body)
        if answer.rest is not None:
            answer.rest = _Kept(answer.rest, self)

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return len(self.call.body) + self._size

    @property
    def is_too_large(self) -> bool:
        """Whether its request or its answer is larger than anybody compares."""
        return self._size > MOST_BYTES or len(self.call.body) > MOST_BYTES

    def take(self, piece: bytes) -> None:
        """Keep a piece of the answer, or nothing of it once it is too large."""
        self._size += len(piece)
        if self._size <= MOST_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def reply(self) -> Reply:
        """Return what the caller was told, in the form of what the other side says."""
        status, encoding = self._answer.status, encoding_of(self._answer.headers)
        body = b"".join(self._pieces)
        return Reply(failure_of(status), status, body, encoding, self._seconds, self.is_too_large)


class _Kept:
    """The pieces of a stream on their way to the caller."""

    __slots__ = ("_rest", "_watched")

    def __init__(self, rest: AsyncIterator[bytes], watched: Watched) -> None:
        self._rest = rest
        self._watched = watched

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._rest)
        except StopAsyncIteration:
            self._watched.is_whole = True
            raise
        self._watched.take(piece)
        return piece

    async def aclose(self) -> None:
        """Let go of the backend before the stream's end."""
        await close(self._rest)
