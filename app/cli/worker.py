"""One worker process of `crossfade serve --workers N`, as its parent sees it and from within.

It is forked from a parent that has imported everything and runs neither threads nor an event loop: so a worker, also
one that replaces a dead one, is there in a fraction of the time that imports take.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from app.cli.draining import LAST_WORDS_S, LULL_S
from app.cli.exits import CommandError, Exit
from app.cli.server import run
from app.settings import Settings
from app.siblings import Place

STOPS = (signal.SIGTERM, signal.SIGINT)

_forked = multiprocessing.get_context("fork")


class Lifeline:
    """A pipe that only the parent holds the upper end of: it breaks when the parent ends, however it ends."""

    def __init__(self) -> None:
        self._lower, self._upper = os.pipe()

    def hold_on(self, patience_s: float) -> None:
        """In a worker: stop as by SIGTERM when the parent is gone, and end anyway when that takes longer."""
        os.close(self._upper)
        threading.Thread(target=self._watch, args=(patience_s,), daemon=True).start()

    def _watch(self, patience_s: float) -> None:
        os.read(self._lower, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(patience_s)
        os._exit(Exit.REFUSED)


class Started:
    """A worker as its parent sees it: whether it answers requests, whether it has ended, and why."""

    def __init__(self, process: BaseProcess, reports: Connection) -> None:
        self.began = time.monotonic()
        self.is_up = False
        self.pid = process.pid or 0
        self._process = process
        self._reports = reports
        self._failure: CommandError | None = None
        self._is_heard_out = False

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return not self._process.is_alive()

    @property
    def awaited(self) -> list[Connection | int]:
        """What becomes readable when there is news."""
        return [self._process.sentinel, *([] if self._is_heard_out else [self._reports])]

    def listen(self) -> None:
        """Take in what it reports: that it answers, or why it cannot."""
        while not self._is_heard_out and self._reports.poll():
            try:
                report = self._reports.recv()
            except EOFError:
                self._is_heard_out = True
                return
            if report is None:
                self.is_up = True
            else:
                code, told = report
                self._failure = CommandError(Exit(code), told)

    def send(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if not self.has_ended:
            os.kill(self.pid, number)

    def end(self) -> CommandError:
        """Take leave of the ended process, and return why it ended."""
        self.listen()
        self._process.join()
        self._reports.close()
        code = self._process.exitcode or 0
        self._process.close()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return self._failure or CommandError(Exit.REFUSED, f"A worker ended {how}.")


def start(
    settings: Settings, place: Place, listener: socket.socket, listeners: Sequence[socket.socket], lifeline: Lifeline
) -> Started:
    """Start a worker on one of its parent's listeners."""
    here, there = _forked.Pipe(duplex=False)
    arguments = (settings, place, listener, listeners, lifeline, there)
    process = _forked.Process(target=_work, args=arguments, daemon=True)
    # a signal that came before the worker can tell it from one of its parent's would be lost
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    process.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    there.close()
    return Started(process, here)


def _work(
    settings: Settings,
    place: Place,
    listener: socket.socket,
    listeners: Sequence[socket.socket],
    lifeline: Lifeline,
    reports: Connection,
) -> None:
    _leave_the_parent(listener, listeners)
    lifeline.hold_on(max(settings.drain_s, 2 * LULL_S) + LAST_WORDS_S)
    try:
        run(settings, listener, lambda: reports.send(None), place=place)
    except CommandError as error:
        reports.send((int(error.code), str(error)))
        sys.exit(error.code)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)


def _leave_the_parent(listener: socket.socket, listeners: Sequence[socket.socket]) -> None:
    """Undo what a fork inherits: signal handlers, siblings' sockets, and the terminal, whose Ctrl-C the parent gets."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    for each in listeners:
        if each is not listener:
            each.close()
