"""Answers that are kept to be given again, in this process."""

from collections import OrderedDict
from typing import NamedTuple, Protocol

from routers.call import Headers

OVERHEAD_BYTES = 512
"""About what an answer takes besides its body and headers."""


class Kept(NamedTuple):
    """A whole answer with status 200; times are seconds since 1970.

    It is fresh until `fresh_until`, and until `usable_until` it does when every backend fails.
    """

    headers: Headers
    body: bytes
    made_at: float
    fresh_until: float
    usable_until: float


class Answers(Protocol):
    """Where answers are kept; total: what cannot be reached has nothing, and keeps nothing."""

    async def find(self, key: bytes, now: float) -> Kept | None:
        """Return what is kept under a key and still usable."""

    async def keep(self, key: bytes, kept: Kept) -> None:
        """Keep an answer in the place of any other under its key."""


class AnswersHere:
    """So many bytes of answers in memory; those that were not used for longest make room."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self.size = 0

    async def find(self, key: bytes, now: float) -> Kept | None:
        """Return what is kept under a key and still usable."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.usable_until <= now:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept

    async def keep(self, key: bytes, kept: Kept) -> None:
        """Keep an answer in the place of any other under its key; one that is larger than all room is not kept."""
        self._drop(key)
        size = _size(kept)
        if size > self._most:
            return
        self._kept[key] = kept
        self.size += size
        while self.size > self._most:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.size -= _size(kept)


def _size(kept: Kept) -> int:
    return OVERHEAD_BYTES + len(kept.body) + sum(len(name) + len(value) for name, value in kept.headers)
