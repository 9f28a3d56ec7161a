"""Callers who leave: noticed while their answer is waited for, and while it is passed on."""

import asyncio
from types import TracebackType
from typing import Self

from app.api.asgi import CallerLeftError, Receive

WATCHED_AFTER_S = 0.05
"""How long a call is under way before its caller is watched: most are over sooner, and watching costs a task."""


async def until_left(receive: Receive) -> None:
    """Return when the caller has gone, or has his answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


class UnlessLeft:
    """Cancels what is done inside when the caller leaves, and raises CallerLeftError in its place.

    What `receive` raises, as that of an upload may, is raised likewise. He is watched after `after_s` seconds.
    """

    __slots__ = ("_after_s", "_cancelling", "_error", "_receive", "_task", "_timer", "_watch")

    def __init__(self, receive: Receive, after_s: float = WATCHED_AFTER_S) -> None:
        self._receive = receive
        self._after_s = after_s

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be cancelled")
        self._task = task
        self._cancelling = task.cancelling()
        self._error: BaseException | None = None
        self._watch: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(self._after_s, self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        watch, self._watch = self._watch, None
        if watch is None:
            return
        watch.cancel()
        # whoever else cancelled the task meanwhile is obeyed
        why = self._error
        if why is not None and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise why from error

    def _begin(self) -> None:
        self._watch = asyncio.ensure_future(until_left(self._receive))
        self._watch.add_done_callback(self._leave)

    def _leave(self, watch: asyncio.Task[None]) -> None:
        # a caller may leave in the very moment in which the block ends
        if self._watch is None or watch.cancelled():
            return
        self._error = watch.exception() or CallerLeftError()
        self._task.cancel()
