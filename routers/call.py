"""A call on its way to a backend, and the answer on its way back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .causes import Cause
from .model import Backend

Headers = list[tuple[bytes, bytes]]


class Upload(Protocol):
    """A body on its way: of `length` bytes, None when its caller did not say."""

    length: int | None

    def pieces(self) -> AsyncIterator[bytes]:
        """Return the body from its start, as it comes, to one backend at a time."""

    def whole(self, most: int) -> bytes | None:
        """Return the body once all of it has come, if it has at most so many bytes."""

    def waited_s(self) -> float:
        """Return for how long, in all, a backend that had all that had come waited for the caller."""


class Call(NamedTuple):
    """One request to carry: `path` is what follows the route's name with its query, as it came (undecoded).

    `body` is whole when `upload` is None, else empty.
    `within_s` is how many seconds its caller waits for the first byte, None when he did not say.
    """

    method: str
    path: str
    headers: Headers
    body: bytes
    within_s: float | None = None
    upload: Upload | None = None


@dataclass(slots=True)
class Answer:
    """A backend's answer: `body` is whole when `rest` is None, else its first piece (never empty).

    `rest` yields the pieces that follow and raises `SendError` when the backend breaks off.
    Whoever holds an answer with a `rest` must exhaust it or call its `aclose`.
    """

    status: int
    headers: Headers
    body: bytes
    rest: AsyncIterator[bytes] | None = None


class SendError(Exception):
    """The one way a send fails; `cause` says how, `detail` is for people."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail


Send = Callable[[Backend, Call], Awaitable[Answer]]
"""Carries one call to one backend. Raises `SendError`; is cancelled when its time is over."""
