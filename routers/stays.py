"""A call's stay in a lane: from its permit to its end."""

from collections.abc import Callable

from .attempts import Attempt
from .breaker import Permit
from .call import Upload
from .causes import Cause
from .lanes import Ending, Lane


class Stay:
    """Holds a permit and gives it back once; of several endings the first counts.

    The lane is told the time to the answer: to the last byte of a whole one, to the first byte of a stream, without
    the time for which an upload waited for its caller.
    """

    __slots__ = ("_began", "_lane", "_permit", "_seconds", "_upload", "clock")

    def __init__(
        self, lane: Lane, permit: Permit, began: float, clock: Callable[[], float], upload: Upload | None = None
    ) -> None:
        self.clock = clock
        self._lane = lane
        self._permit: Permit | None = permit
        self._upload = upload
        self._began = began if upload is None else began - upload.waited_s()
        self._seconds = 0.0

    def attempt(self, cause: Cause | None, status: int | None, detail: str = "") -> Attempt:
        """Stop the watch, and describe what came of it."""
        self._seconds = self.clock() - self._began
        if self._upload is not None:
            self._seconds -= self._upload.waited_s()
        return Attempt(self._lane.backend, cause, status, self._seconds * 1000, detail)

    def end(self, ending: Ending) -> None:
        """Give the permit back."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self._lane.leave(permit, ending, seconds=self._seconds, now=self.clock())
