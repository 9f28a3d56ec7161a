"""The floor of an endpoint in Python: an ASGI application that reads the body and answers the same bytes."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]

BODY = (
    b'{"decision_id":"0123456789ab-ffff","route":"bench","backend":"new","url":"http://127.0.0.1:65535",'
    b'"variant":"new","reason":"SPLIT","flag_version":2,"deadline_ms":10000,"shadow":false,"fallback":null}'
)
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]


async def app(
    _scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer one request."""
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": BODY})
