"""A server over real sockets that answers a client as a service only does in trouble."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event
from typing import Any


@dataclass
class Odd:
    """What it answers: rulesets one after the other (the last one for ever), notices as they come, and statuses."""

    rulesets: list[dict[str, Any]]
    reports_answered: list[int] = field(default_factory=list)
    notices: "Queue[bytes | None]" = field(default_factory=Queue)
    reports: "Queue[tuple[str, Any]]" = field(default_factory=Queue)
    tokens: set[str | None] = field(default_factory=set)
    streams: int = 0
    holds_notices_back: bool = False
    is_slow: bool = False
    url: str = ""

    def ruleset(self) -> bytes:
        """Return the next one."""
        return json.dumps(self.rulesets.pop(0) if len(self.rulesets) > 1 else self.rulesets[0]).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers as it is told."""

    odd: Odd

    def do_GET(self) -> None:
        self.odd.tokens.add(self.headers["Authorization"])
        if self.path == "/ruleset":
            body = self.odd.ruleset()
            tag = f'"{hash(body)}"'
            same = self.headers["If-None-Match"] == tag
            self.answer(304 if same else 200, b"" if same else body, ETag=tag)
            return
        self.odd.streams += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        if self.odd.holds_notices_back:
            self.odd.notices.get()
        self.end_headers()
        while (piece := self.odd.notices.get()) is not None:
            with suppress(OSError):
                self.wfile.write(piece)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.odd.reports_answered.pop(0) if self.odd.reports_answered else 202
        if status == 202:
            self.odd.reports.put((self.path, json.loads(body)))
        self.answer(status, b"<html>" if status == 200 else b'{"accepted": 1, "refused": []}')

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name, value)
        # who asked may have been shut down
        with suppress(OSError):
            self.end_headers()
            write = self.dribble if self.odd.is_slow else self.wfile.write
            write(body)

    def dribble(self, body: bytes) -> None:
        """Send one byte after another, each soon enough not to count as silence."""
        for byte in body:
            self.wfile.write(bytes([byte]))
            Event().wait(0.05)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(odd: Odd, port: int = 0) -> Iterator[Odd]:
    """Serve on a free port, or this one."""
    handler = type("Handler", (Handler,), {"odd": odd})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        server.daemon_threads = True
        odd.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield odd
        finally:
            odd.notices.put(None)
            server.shutdown()
            thread.join()
