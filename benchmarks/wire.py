"""One connection of a load that reads its answers: one call at a time, whole answers and streams alike."""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from httptools import HttpResponseParser


class Answer(NamedTuple):
    """An answer that has come whole; header names are in lower case."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class Wire(asyncio.Protocol):
    """Asks, and tells `answered` what came; tells `lost` when the connection has gone and nobody here closed it."""

    _transport: asyncio.Transport

    def __init__(self, answered: Callable[["Wire", Answer], None], lost: Callable[["Wire"], None]) -> None:
        self._answered = answered
        self._lost = lost
        self._parser = HttpResponseParser(self)
        self._forget()
        self._closed_here = False

    def _forget(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether another call can be made."""
        return not self._transport.is_closing()

    def ask(self, request: bytes) -> None:
        """Write a request; one at a time."""
        self._transport.write(request)

    def close(self) -> None:
        """Hang up, without telling `lost`."""
        self._closed_here = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # uvloop's transports are none of asyncio's classes
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        self._parser.feed_data(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell, unless it was closed here."""
        if not self._closed_here:
            self._lost(self)

    # what the parser calls, in the words of httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header line."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        answer = Answer(self._parser.get_status_code(), self._headers, b"".join(self._body))
        self._forget()
        self._answered(self, answer)
