"""Answers of unknown length to callers of HTTP/1.0, who know no chunks: the connection's end is theirs."""

import asyncio
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_RESET = struct.pack("ii", 1, 0)


class Unframed:
    """An application in front of the service for one request of HTTP/1.0.

    The web server would write chunks whatever the caller speaks; here it writes the bytes alone. Since a connection
    that is closed would pass for the end of the answer, one that breaks off is reset.
    """

    def __init__(self, app: Any, cycle: RequestResponseCycle, transport: asyncio.Transport) -> None:
        self._app = app
        self._cycle = cycle
        self._transport = transport
        self._has_length = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer the request."""

        async def unframed(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._has_length = any(name.lower() == b"content-length" for name, _ in message["headers"])
            if not self._has_length:
                self._cycle.chunked_encoding = False
                self._cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, unframed)
        finally:
            if not self._has_length and not self._cycle.response_complete and not self._transport.is_closing():
                self._reset()

    def _reset(self) -> None:
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
