"""The service over HTTP: the ruleset, change notices and reports. The token is in no log, error or address."""

import codecs
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from .errors import CrossfadeError, RefusedError, StreamRefusedError, UnreachableError

NOTICES = "/ofrep/v1/events"
SILENCE_S = 45.0
"""After how long without a word a stream counts as dead; the service says one every 15 s."""

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


class Copy(NamedTuple):
    """A ruleset's text, and the tag that asks whether it is still the one."""

    body: bytes
    etag: str


class Stream:
    """Lines of an open stream of notices; `close` ends it from any thread."""

    def __init__(self, response: httpx.Response) -> None:
        """Take the open response."""
        self._response = response

    def lines(self) -> Iterator[str]:
        """Yield lines until the service ends the stream. Raises UnreachableError when it breaks off."""
        with _as_ours():
            yield from self._response.iter_lines()

    def close(self) -> None:
        """Wake whoever waits for a line."""
        network = self._response.extensions.get("network_stream")
        sock = network.get_extra_info("socket") if network is not None else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


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
        # the first client and the first address load modules, which a fork in the midst of it would leave half loaded
        self.open()
        codecs.lookup("idna")

    def open(self) -> None:
        """Begin with new connections: after a fork the old ones are the parent's."""
        self._client = httpx.Client(headers=self._headers, timeout=self._timeout_s, verify=self._verify)

    def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def ruleset(self, etag: str | None) -> Copy | None:
        """Return the ruleset in force, None when it is the one of this tag.

        Raises UnreachableError or RefusedError.
        """
        headers = {"If-None-Match": etag} if etag else {}
        answer = self._ask("GET", "/ruleset", headers)
        if answer.status_code == 304:
            return None
        if "json" not in answer.headers.get("Content-Type", "") or "ETag" not in answer.headers:
            raise RefusedError(f"there is no Crossfade at {self.url}: GET /ruleset answered something else; check url")
        return Copy(answer.content, answer.headers["ETag"])

    def report(self, path: str, body: bytes) -> dict[str, Any]:
        """Send a report, which is JSON. Raises UnreachableError when it may be sent again, RefusedError when not."""
        answer = self._ask("POST", path, {"Content-Type": "application/json"}, body)
        try:
            told = answer.json()
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    @contextmanager
    def notices(self) -> Iterator[Stream]:
        """Open the stream of change notices. Raises StreamRefusedError or UnreachableError."""
        timeout = httpx.Timeout(self._timeout_s, read=SILENCE_S)
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        with (
            _as_ours(),
            self._opened().stream("GET", self.url + NOTICES, headers=headers, timeout=timeout) as response,
        ):
            kind = response.headers.get("Content-Type", "")
            if response.status_code != 200 or not kind.startswith("text/event-stream"):
                raise StreamRefusedError(f"GET {NOTICES} answered {response.status_code}")
            yield Stream(response)

    def _opened(self) -> httpx.Client:
        if self._client is None:
            raise UnreachableError("the connection is closed")
        return self._client

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> httpx.Response:
        with _as_ours():
            answer = self._opened().request(method, self.url + path, headers=headers, content=body)
        if answer.status_code < 300 or answer.status_code == 304:
            return answer
        raise self._problem(f"{method} {path}", answer)

    def _problem(self, asked: str, answer: httpx.Response) -> CrossfadeError:
        status, told = answer.status_code, _detail(answer)
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
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise UnreachableError(f"{type(error).__name__}: {error}") from None


def _detail(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return ""
    detail = problem.get("detail") if isinstance(problem, dict) else None
    return f": {detail}" if isinstance(detail, str) else ""
