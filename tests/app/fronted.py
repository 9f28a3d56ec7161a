"""One service in front of backends, spoken to byte by byte."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.service import ADMIN, RunningService

PATIENCE_S = 5
TOKEN = f"X-Crossfade-Token: {ADMIN}"


class Heard(NamedTuple):
    """Everything that came back on one connection, and whether the connection was reset."""

    status: int
    head: str
    body: bytes
    was_reset: bool


def with_flag(service: RunningService) -> None:
    """Make the flag that decides for the new side, always."""
    service.ok("POST", "/flags", {"key": "side", "variants": {"new": True, "legacy": False}})
    service.ok("PUT", "/flags/side/rollout", {"percentage": 100})


async def make(service: RunningService, backends: Mapping[str, Any], **fields: Any) -> None:
    """Make the route `r` anew before these backends: a URL each, or a document."""
    documents = {name: {"url": each} if isinstance(each, str) else each for name, each in backends.items()}
    route = {"name": "r", "flag": "side", "profile": "rag", "backends": documents, **fields}
    await asyncio.to_thread(_make, service, route)


def _make(service: RunningService, route: Mapping[str, Any]) -> None:
    if service.client.get("/routes/r", headers={"Authorization": f"Bearer {ADMIN}"}).is_success:
        service.ok("DELETE", "/routes/r", if_match="*")
    service.ok("POST", "/routes", route)


def written(line: str, *headers: str, body: bytes = b"", token: str | None = TOKEN) -> bytes:
    """Return a request as its caller writes it: u1's, with a token unless there is none."""
    length = [f"Content-Length: {len(body)}"] if body else []
    sent = ["Host: shop.example:8443", "X-User-Id: u1", *([token] if token else []), *headers, *length]
    return "\r\n".join([line, *sent, "", ""]).encode("latin-1") + body


async def opened(service: RunningService) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to the service."""
    host, port = service.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def heard(service: RunningService, request: bytes, patience_s: float = PATIENCE_S) -> Heard:
    """Send a request that ends its connection, and return all that comes back."""
    reader, writer = await opened(service)
    writer.write(request)
    got, was_reset = b"", False
    try:
        async with asyncio.timeout(patience_s):
            while piece := await reader.read(65_536):
                got += piece
    except ConnectionResetError:
        was_reset = True
    finally:
        writer.close()
    head, _, body = got.partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head else 0
    return Heard(status, head.decode("latin-1").lower(), body, was_reset)
