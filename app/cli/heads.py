"""Request heads with an end: of so many bytes at most, and here in time. The web server itself waits for any head.

What is not body while a body comes, as its trailers and the lines between its chunks, is bounded alike. The rest of a
body that has had its answer is thrown away, and has as much time as a head.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.cli.unframed import Unframed
from app.errors import PROBLEM_TYPE, Code, ProblemError


class HeadTooLargeError(Exception):
    """A whole head is here, and it is larger than it may be."""


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with bounds, which its subclasses set."""

    max_head_bytes: int
    head_timeout_s: float

    _reading = 0
    _unfinished = 0
    _is_too_large = False
    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close a connection on which nothing ever comes, as one on which nothing comes any more."""
        super().connection_made(transport)  # type: ignore[arg-type] # narrower than asyncio's own
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the unfinished head."""
        self._finish()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and refuse a head that goes on and on."""
        self._reading = len(data)
        super().data_received(data)
        in_body = self._is_begun()
        if self.transport.is_closing() or (in_body and not (self.cycle.more_body and self._reading)):
            if self._unfinished:
                self._finish()
            return
        self._unfinished += len(data)
        if self._unfinished > self.max_head_bytes:
            self._refuse(self._too_large())
        elif self._too_late is None and not in_body:
            self._too_late = self.loop.call_later(self.head_timeout_s, self._refuse_late)

    def on_headers_complete(self) -> None:
        """Begin to answer. Raises HeadTooLargeError, which the parser hands on as one of its own."""
        if self._unfinished + self._reading > self.max_head_bytes:
            fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
            if len(self.url) + fields > self.max_head_bytes:
                self._is_too_large = True
                raise HeadTooLargeError
        super().on_headers_complete()
        if self._is_begun():
            # so that trailers, which come behind all checks, do not become headers
            self.headers = []

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answer a caller who knows no chunks without them."""
        if cycle.scope["http_version"] == "1.0":
            app = Unframed(app, cycle, self.transport)
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, which others bound."""
        self._reading = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Go on to the next request, which is the one after the rest of this one's body."""
        super().on_response_complete()
        cycle: RequestResponseCycle = self.cycle
        if cycle.more_body and cycle.response_complete and not self.transport.is_closing():
            self.loop.call_later(self.head_timeout_s, self._stop_discarding, cycle)

    def _stop_discarding(self, cycle: RequestResponseCycle) -> None:
        if self.cycle is cycle:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too large, as everything else is refused."""
        del msg
        problem = ProblemError(400, Code.INVALID_REQUEST, "this is not HTTP as it should be")
        self._refuse(self._too_large() if self._is_too_large else problem)

    def _is_begun(self) -> bool:
        """Say whether the latest head is whole."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and cycle.scope is self.scope

    def _too_large(self) -> ProblemError:
        detail = f"the head of a request may have {self.max_head_bytes:,} bytes at most"
        return ProblemError(431, Code.TOO_MANY_HEADERS, detail)

    def _refuse_late(self) -> None:
        self._too_late = None
        detail = f"the head of the request was not here within {self.head_timeout_s:g} s"
        self._refuse(ProblemError(408, Code.BODY_TOO_SLOW, detail))

    def _refuse(self, problem: ProblemError) -> None:
        """Answer and close; while an earlier answer is under way, only close."""
        self._finish()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            self.transport.write(_whole(problem))
        self.transport.close()

    def _finish(self) -> None:
        self._unfinished = 0
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None


def _whole(problem: ProblemError) -> bytes:
    body = problem.body()
    lines = [
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        f"content-type: {PROBLEM_TYPE}",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
