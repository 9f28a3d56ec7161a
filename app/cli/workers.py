"""The parent of `crossfade serve --workers N`: starts the processes, replaces those that die, and stops them."""

import gc
import math
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path

import structlog

from app import logs
from app.cli.draining import LAST_WORDS_S, LULL_S
from app.cli.exits import CommandError, Exit
from app.cli.worker import STOPS, Lifeline, Started, start
from app.settings import Settings
from app.siblings import Place

log = structlog.get_logger("crossfade.workers")

SOON_S = 10.0
"""A worker that dies within this time after its start dies at once, and its successor has to wait."""

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0

PATIENCE_S = 5.0
"""How long a worker may take to close its stores, beyond what open requests may take."""


def supervise(settings: Settings, listeners: Sequence[socket.socket], ready: Callable[[], None]) -> None:
    """Run a worker on each listener until a signal comes, and call `ready` once all of them answer.

    Raises CommandError when no worker could start, KeyboardInterrupt after Ctrl-C.
    """
    logs.configure(settings)
    # what is imported by now is shared with the workers, as long as nobody writes to it
    gc.freeze()
    with _folder() as folder, _signals() as signals:
        parent = _Parent(settings, listeners, folder, signals)
        number = parent.run(ready)
        parent.stop(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt


@contextmanager
def _folder() -> Iterator[Path]:
    try:
        folder = tempfile.TemporaryDirectory(prefix="crossfade-", ignore_cleanup_errors=True)
    except OSError as error:
        told = f"Workers need a folder for temporary files: {error.strerror}."
        raise CommandError(Exit.REFUSED, told, "Name one that can be written to with TMPDIR.") from error
    with folder as name:
        yield Path(name)


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Give a socket that the numbers of signals can be read from, so that waiting for anything waits for them too."""
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        for number in STOPS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(writer.fileno())
        try:
            yield reader
        finally:
            signal.set_wakeup_fd(-1)


class _Parent:
    """Has one worker for each place; a place whose worker died is filled again."""

    def __init__(
        self, settings: Settings, listeners: Sequence[socket.socket], folder: Path, signals: socket.socket
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._places = [Place(folder, number, len(listeners)) for number in range(len(listeners))]
        self._signals = signals
        self._lifeline = Lifeline()
        self._workers: dict[Place, Started] = {}
        self._due = dict.fromkeys(self._places, 0.0)
        self._quick_deaths = dict.fromkeys(self._places, 0)
        self._was_ever_up = False

    def run(self, ready: Callable[[], None]) -> int:
        """Keep every place filled until a signal comes, and return its number. Raises CommandError."""
        is_announced = False
        while (number := self._signal()) is None:
            self._fill()
            self._wait(min((self._due[place] for place in self._empty()), default=math.inf))
            self._listen()
            if not is_announced and self._are_all_up():
                is_announced = True
                ready()
            self._bury()
        return number

    def stop(self, number: int) -> None:
        """Pass the signal on and wait until every worker has drained; after a second Ctrl-C, or too long, kill."""
        for listener in self._listeners:
            listener.close()
        for worker in self._workers.values():
            worker.send(number)
        limit_s = max(self._settings.drain_s, 2 * LULL_S) + LAST_WORDS_S + PATIENCE_S
        deadline = time.monotonic() + limit_s
        while self._workers and time.monotonic() < deadline and self._signal() != signal.SIGINT:
            self._wait(deadline)
            for place in [place for place, worker in self._workers.items() if worker.has_ended]:
                self._workers.pop(place).end()
        for worker in self._workers.values():
            log.warning("worker killed: it did not end", worker=worker.pid)
            worker.send(signal.SIGKILL)
            worker.end()

    def _signal(self) -> int | None:
        try:
            return self._signals.recv(1)[0]
        except BlockingIOError:
            return None

    def _wait(self, until: float) -> None:
        """Wait until a signal comes, a worker has news, or it is time."""
        timeout_s = None if math.isinf(until) else max(0.0, until - time.monotonic())
        of_workers = [each for worker in self._workers.values() for each in worker.awaited]
        wait([self._signals, *of_workers], timeout_s)

    def _are_all_up(self) -> bool:
        return [worker.is_up for worker in self._workers.values()] == [True] * len(self._places)

    def _empty(self) -> list[Place]:
        return [] if self._is_hopeless() else [place for place in self._places if place not in self._workers]

    def _is_hopeless(self) -> bool:
        """Say whether what failed at the first start is not tried again: whoever started us should hear of it."""
        return not self._was_ever_up and any(self._quick_deaths.values())

    def _fill(self) -> None:
        now = time.monotonic()
        for place in self._empty():
            if self._due[place] <= now:
                listener = self._listeners[place.number]
                self._workers[place] = start(self._settings, place, listener, self._listeners, self._lifeline)

    def _listen(self) -> None:
        for worker in self._workers.values():
            worker.listen()
            self._was_ever_up |= worker.is_up

    def _bury(self) -> None:
        """Take away who has ended, and say when the successor comes. Raises CommandError when nobody ever came up."""
        failure = None
        for place in [place for place, worker in self._workers.items() if worker.has_ended]:
            worker = self._workers.pop(place)
            failure = worker.end()
            lived_s = time.monotonic() - worker.began
            self._quick_deaths[place] = 0 if lived_s > SOON_S else self._quick_deaths[place] + 1
            wait_s = self._wait_s(place)
            self._due[place] = time.monotonic() + wait_s
            if self._was_ever_up:
                log.warning("worker died", worker=worker.pid, why=str(failure), successor_in_s=wait_s)
        if failure is not None and not self._was_ever_up and not self._workers:
            raise failure

    def _wait_s(self, place: Place) -> float:
        deaths = self._quick_deaths[place]
        return min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (deaths - 2)) if deaths > 1 else 0.0
