"""The service over HTTP: the ruleset, change notices and reports. The token is in no log, error or address."""

import codecs
import logging
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from weakref import WeakSet

import httpx
from pydantic_core import from_json

from .errors import CrossfadeError, RefusedError, SilentError, StreamRefusedError, UnreachableError

NOTICES = "/ofrep/v1/events"
SILENCE_S = 20.0
"""After how long without a word a stream counts as dead; the service says one every 15 s."""

LONGEST_ANSWER_S = 60.0
"""How long an answer may take that comes in small pieces."""

THREADS = "crossfade-"
"""What the names of the client's threads begin with."""

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_AT_FAULT = frozenset({400, 413, 422})
"""What is refused for what it says; a report that is refused for anything else may be taken another time."""


class Copy(NamedTuple):
    """A ruleset's text, and the tag that asks whether it is still the one."""

    body: bytes
    etag: str


class Answer(NamedTuple):
    """All of an answer."""

    status: int
    headers: httpx.Headers
    body: bytes

    def told(self) -> dict[str, Any] | None:
        """Return the object that it is, as all of the service's are, None when it is none."""
        try:
            told = from_json(self.body)
        except ValueError:
            return None
        return told if isinstance(told, dict) else None


class Service:
    """Where the service is and how it is asked; connections are opened as they are needed."""

    def __init__(self, url: str, token: str, timeout_s: float, verify: ssl.SSLContext | None = None) -> None:
        """Take an address such as `https://flags.example.com`. Raises ValueError for one that cannot be."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url: give an address such as https://flags.example.com, not {url!r}")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("url: give only scheme, host, port and path; the token is an argument of its own")
        token = token.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("token: give what `crossfade tokens create ID --role client` wrote")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "crossfade-client/0.1.0"}
        self._timeout_s = timeout_s
        # reading whom to trust takes a while, and without TLS nobody is asked
        self._verify = verify or (
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if parts.scheme == "http" else httpx.create_ssl_context()
        )
        self._client: httpx.Client | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()
        # the first client and the first address load modules, which a fork in the midst of it would leave half loaded
        self.open()
        codecs.lookup("idna")

    def open(self) -> None:
        """Begin with new connections: after a fork the old ones are the parent's, and are only let go here."""
        for sock in [*self._sockets]:
            sock.close()
        self._sockets = WeakSet()
        self._client = httpx.Client(headers=self._headers, timeout=self._timeout_s, verify=self._verify)

    def close(self) -> None:
        """Close all connections, and wake whoever waits for a word on one."""
        client, self._client = self._client, None
        self._break_off()
        if client is not None:
            client.close()

    def ruleset(self, etag: str | None) -> Copy | None:
        """Return the ruleset in force, None when it is the one of this tag.

        Raises UnreachableError or RefusedError.
        """
        answer = self._ask("GET", "/ruleset", {"If-None-Match": etag} if etag else {})
        if answer.status == 304:
            return None
        if answer.status >= 300:
            raise self._problem("GET /ruleset", answer)
        if "json" not in answer.headers.get("Content-Type", "") or "ETag" not in answer.headers:
            raise RefusedError(f"there is no Crossfade at {self.url}: GET /ruleset answered something else; check url")
        return Copy(answer.body, answer.headers["ETag"])

    def report(self, path: str, body: bytes) -> dict[str, Any]:
        """Send a report, which is JSON. Raises UnreachableError when it may be sent again, RefusedError when not."""
        answer = self._ask("POST", path, {"Content-Type": "application/json"}, body)
        if answer.status >= 300:
            problem = self._problem(f"POST {path}", answer)
            raise problem if answer.status in _AT_FAULT else UnreachableError(str(problem))
        told = answer.told()
        if told is None:
            raise UnreachableError(f"there is no Crossfade at {self.url}: POST {path} answered something else")
        return told

    @contextmanager
    def notices(self) -> Iterator[Iterator[str]]:
        """Open the stream of change notices, and yield its lines.

        Raises StreamRefusedError, when there is never a line too since a proxy holds them back, and UnreachableError.
        """
        timeout = httpx.Timeout(self._timeout_s, read=SILENCE_S)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        is_heard = False

        def lines() -> Iterator[str]:
            nonlocal is_heard
            for line in response.iter_lines():
                is_heard = True
                yield line

        try:
            with _as_ours(), self._begun("GET", NOTICES, headers, timeout=timeout) as response:
                kind = response.headers.get("Content-Type", "")
                if response.status_code != 200 or not kind.startswith("text/event-stream"):
                    raise StreamRefusedError(f"GET {NOTICES} answered {response.status_code}")
                yield lines()
        except SilentError as error:
            raise error if is_heard else StreamRefusedError(f"GET {NOTICES} is held back: {error}") from None

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Answer:
        until = time.monotonic() + LONGEST_ANSWER_S
        pieces: list[bytes] = []
        with _as_ours(), self._begun(method, path, headers, content=body) as response:
            for piece in response.iter_bytes():
                pieces.append(piece)
                if time.monotonic() > until:
                    raise UnreachableError(f"{method} {path} is not answered within {LONGEST_ANSWER_S:g} s")
        return Answer(response.status_code, response.headers, b"".join(pieces))

    @contextmanager
    def _begun(self, method: str, path: str, headers: dict[str, str], **others: Any) -> Iterator[httpx.Response]:
        client = self._client
        if client is None:
            raise UnreachableError("the connection is closed")
        extensions = {"trace": self._traced}
        with client.stream(method, self.url + path, headers=headers, extensions=extensions, **others) as response:
            yield response

    def _traced(self, event: str, info: dict[str, Any]) -> None:
        """Know the socket of each connection, since a client that is closed wakes nobody who waits for an answer."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            sock = info["return_value"].get_extra_info("socket")
            if sock is not None:
                self._sockets.add(sock)
            if self._client is None:
                self._break_off()

    def _break_off(self) -> None:
        for sock in [*self._sockets]:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _problem(self, asked: str, answer: Answer) -> CrossfadeError:
        status, detail = answer.status, (answer.told() or {}).get("detail")
        told = f": {detail}" if isinstance(detail, str) else ""
        if status in _BUSY:
            return UnreachableError(f"{asked} answered {status}{told}")
        hints = {
            401: "; check the token",
            403: "; make one with `crossfade tokens create ID --role client`",
            404: f"; check that Crossfade is at {self.url} and not older than this client",
        }
        return RefusedError(f"{asked} answered {status}{told}{hints.get(status, '')}")


@contextmanager
def _as_ours() -> Iterator[None]:
    try:
        yield
    except httpx.ReadTimeout as error:
        raise SilentError(f"{type(error).__name__}: {error}") from None
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise UnreachableError(f"{type(error).__name__}: {error}") from None


def _is_for_the_log(record: logging.LogRecord) -> bool:
    """Say whether somebody else asked: that the client's own threads ask every few seconds is no news."""
    return record.levelno > logging.INFO or not (record.threadName or "").startswith(THREADS)


logging.getLogger("httpx").addFilter(_is_for_the_log)
