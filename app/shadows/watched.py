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


class Room:
    """How many bytes may still be kept of all calls together."""

    def __init__(self, size: int) -> None:
        self.left = size


class Watched:
    """One sampled call: its answer is kept up to MOST_BYTES, while there is room, as it goes to its caller.

    Whoever makes one must `release` it.
    """

    def __init__(
        self,
        route: Route,
        shadow: Shadow,
        pair: Pair,
        decision_id: str,
        call: Call,
        carried: Dispatched,
        answer: Answer,
        room: Room,
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
        self._room = room
        self._held = 0
        self.is_crowded_out = False
        self._hold(len(call.body))
        self.take(answer.body)

    def follow(self) -> None:
        """Keep what is still to come of a stream, too; whoever has released it may not."""
        if self._answer.rest is not None:
            self._answer.rest = _Kept(self._answer.rest, self)

    @property
    def is_too_large(self) -> bool:
        """Whether its request or its answer is larger than anybody compares."""
        return self._size > MOST_BYTES or len(self.call.body) > MOST_BYTES

    def take(self, piece: bytes) -> None:
        """Keep a piece of the answer; nothing of it any more once it is too large, or there is no room."""
        self._size += len(piece)
        if self.is_too_large or not self._hold(len(piece)):
            self.release()
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    def release(self) -> None:
        """Give the room back."""
        self._room.left += self._held
        self._held = 0

    def _hold(self, size: int) -> bool:
        if self.is_crowded_out or size > self._room.left:
            self.is_crowded_out = True
            return False
        self._room.left -= size
        self._held += size
        return True

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
