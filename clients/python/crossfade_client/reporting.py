"""Sends what was tracked and which flags were used, in batches and without making anybody wait."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pydantic_core import to_json

from .answers import Seen
from .errors import RefusedError, UnreachableError
from .service import THREADS, Service

log = logging.getLogger("crossfade_client")

A_BATCH = 500
"""Outcomes of one request; the service takes twice as many."""

SEEN_EVERY_S = 60.0
"""How often the service is told which flags were used."""

Gather = Callable[[], Iterator[Seen]]


class Reporter:
    """A bounded queue, and one daemon thread that empties it; what does not fit is dropped and counted."""

    def __init__(self, service: Service, gather: Gather, flush_s: float, room: int, *, tells_used: bool) -> None:
        """Take where reports go, and who yields the flags that were used since it was asked last."""
        self._service = service
        self._gather = gather
        self._flush_s = flush_s
        self._room = room
        self._waiting: deque[bytes] = deque()
        self._batch: list[bytes] = []
        self._used: dict[tuple[str, str], Seen] = {}
        self._until_seen_s = SEEN_EVERY_S
        self._tells_used = tells_used
        self._told: set[str] = set()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"{THREADS}report", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, outcome: bytes) -> None:
        """Queue an outcome, or drop it when there is no room."""
        if len(self._waiting) >= self._room:
            self._tell_once("full", f"outcomes are dropped: {self._room} wait to be sent")
            return
        self._waiting.append(outcome)
        if len(self._waiting) >= A_BATCH:
            self._wake.set()

    def stop(self, patience_s: float) -> None:
        """Send what waits, for so long at most, and close the connections."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not threading.current_thread():
            self._thread.join(patience_s)
        self._service.close()
        left = len(self._batch) + len(self._waiting)
        if left:
            log.warning("%d outcomes were not sent", left)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._wake.wait(self._flush_s)
            self._wake.clear()
            is_last = self._stopping.is_set()
            self._flush(self._until_seen_s if is_last else self._flush_s)

    def _flush(self, passed_s: float) -> None:
        try:
            self._send_outcomes()
            self._flush_used(passed_s)
        except UnreachableError as error:
            self._tell_once("away", f"outcomes wait: {error}")
            # a full queue wakes this up again and again
            self._stopping.wait(self._flush_s)
        except Exception:
            log.exception("reporting failed, and goes on")

    def _send_outcomes(self) -> None:
        """Send all that waits. Raises UnreachableError; what was not taken then is sent again, which is harmless."""
        while self._batch or self._waiting:
            if not self._batch:
                self._batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), A_BATCH))]
            self._send(self._batch)
            self._batch = []
            self._told.discard("away")
        self._told.discard("full")

    def _send(self, batch: list[bytes]) -> None:
        """Send a batch; of one that is refused, being too large perhaps, each half. Raises UnreachableError."""
        try:
            self._tell_refused(self._service.report("/outcomes", _listed("outcomes", batch)))
        except RefusedError as error:
            if len(batch) == 1:
                self._tell_once("refused", f"an outcome is refused: {error}")
                return
            middle = len(batch) // 2
            self._send(batch[:middle])
            self._send(batch[middle:])

    def _tell_refused(self, answer: dict[str, Any]) -> None:
        for each in answer.get("refused") or ():
            self._tell_once(f"refused {each.get('code')}", f"an outcome is refused: {each.get('detail')}")

    def _flush_used(self, passed_s: float) -> None:
        """Tell which flags were used, when it is time. Raises UnreachableError."""
        self._until_seen_s -= passed_s
        if not self._tells_used or self._until_seen_s > 0:
            return
        self._until_seen_s = SEEN_EVERY_S
        self._used |= {(each.flag, each.variant): each for each in self._gather()}
        used = map(_written, [*self._used.values()])
        try:
            while batch := list(islice(used, A_BATCH)):
                self._service.report("/evaluations", _listed("evaluations", batch))
        except RefusedError as error:
            self._tell_once("used", f"which flags are used is refused: {error}")
        self._used = {}

    def _tell_once(self, what: str, told: str) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning("%s", told)


def _written(seen: Seen) -> bytes:
    at = datetime.fromtimestamp(seen.at, UTC).isoformat()
    return to_json({"flag": seen.flag, "variant": seen.variant, "at": at})


def _listed(name: str, items: Iterable[bytes]) -> bytes:
    return b'{"%b":[%b]}' % (name.encode(), b",".join(items))
