"""Keeps a ruleset fresh: by change notices, or by asking now and then where there are none."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable

from .errors import CrossfadeError, StreamRefusedError
from .health import Health
from .notices import changes_in
from .service import THREADS, Copy, Service

log = logging.getLogger("crossfade_client")

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
LASTING_S = 5.0
"""How long following has to go well for the next wait to be a short one."""

STREAM_AGAIN_S = 120.0
"""After how long a stream that was refused is asked for again."""

LAGGING_S = (0.3, 1.5)
"""When to ask again after a notice whose change was not there: another process of the fleet may have told of it."""

Take = Callable[[Copy], bool]
"""Takes a copy, and says whether it is newer than the one at hand."""


class Follower:
    """One daemon thread that asks for the ruleset whenever it may have changed."""

    def __init__(self, service: Service, take: Take, health: Health, poll_s: float, etag: str | None) -> None:
        """Take what to ask, and who takes a new copy; `etag` is of the copy at hand."""
        self._service = service
        self._take = take
        self._health = health
        self._poll_s = poll_s
        self.etag = etag
        self._asked = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{THREADS}follow", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, at once whatever it waits for; its connections are closed."""
        self._stopping.set()
        self._service.close()

    def join(self, patience_s: float) -> None:
        """Wait so long for its end."""
        if self._thread is not threading.current_thread():
            self._thread.join(patience_s)

    def _run(self) -> None:
        failures = 0
        # OpenFeature first tells of the start itself
        self._stopping.wait(_wait_s(failures, self._poll_s))
        while not self._stopping.is_set():
            asked, began = self._asked, time.monotonic()
            try:
                self._follow()
            except CrossfadeError as error:
                if not self._stopping.is_set():
                    self._health.out_of_contact(error)
            except Exception:
                # whatever it was: an application that no longer follows would decide by old rules for ever
                log.exception("following failed, and goes on")
            went_well = self._asked != asked and time.monotonic() - began >= LASTING_S
            failures = 0 if went_well else failures + 1
            self._stopping.wait(_wait_s(failures, self._poll_s))

    def _follow(self) -> None:
        """Follow until the service ends it. Raises CrossfadeError."""
        try:
            with self._service.notices() as lines:
                # what changed before the stream was open is in no notice
                self._refresh()
                self._listen(lines)
        except StreamRefusedError as error:
            log.debug("no change notices: %s", error)
            self._poll()

    def _listen(self, lines: Iterable[str]) -> None:
        is_first = True
        for is_change in changes_in(lines):
            if self._stopping.is_set():
                return
            if is_change:
                # the first notice only says how things stand
                self._refresh_after_notice(() if is_first else LAGGING_S)
                is_first = False
            elif time.monotonic() - self._asked >= self._poll_s:
                self._refresh()

    def _refresh_after_notice(self, lagging_s: tuple[float, ...]) -> None:
        for wait_s in (*lagging_s, 0.0):
            if self._refresh() or self._stopping.wait(wait_s):
                return

    def _poll(self) -> None:
        until = time.monotonic() + STREAM_AGAIN_S
        while not self._stopping.is_set() and time.monotonic() < until:
            self._refresh()
            self._stopping.wait(self._poll_s * (0.8 + 0.4 * random.random()))

    def _refresh(self) -> bool:
        """Ask once, and say whether there was something new. Raises CrossfadeError."""
        copy = self._service.ruleset(self.etag)
        is_new = copy is not None and self._take(copy)
        if copy is not None and is_new:
            self.etag = copy.etag
        self._asked = time.monotonic()
        self._health.in_contact()
        return is_new


def _wait_s(failures: int, poll_s: float) -> float:
    """Return how long to wait before the next try: twice as long after each failure, and never all clients at once."""
    longest = min(FIRST_WAIT_S * 2.0 ** min(failures, 16), LONGEST_WAIT_S, max(poll_s, FIRST_WAIT_S))
    return longest * (0.2 + 0.8 * random.random())
