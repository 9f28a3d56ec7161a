"""Pages of other origins (CORS): which may call, and what a browser lets them send and read."""

from app.api.asgi import Scope, Send
from app.settings import Settings

Fields = list[tuple[bytes, bytes]]

_EXPOSED = (b"access-control-expose-headers", b"ETag, Retry-After")
_BY_ORIGIN = (b"vary", b"Origin")
_ANYONE: Fields = [(b"access-control-allow-origin", b"*"), _EXPOSED]
_NOBODY: Fields = []
_MAY_SEND = (
    "Authorization, X-API-Key, X-Crossfade-Token, Content-Type, Cache-Control, If-None-Match, Last-Event-ID, "
    "traceparent, tracestate, baggage"
)
_PREFLIGHT: Fields = [
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", _MAY_SEND.encode()),
    (b"access-control-max-age", b"7200"),
]
"""A page may not be told "all headers" where `Authorization` is one of them."""


def shared_with(settings: Settings, scope: Scope) -> Fields:
    """Return what an answer says of who may read it: nothing to callers that are no pages.

    No cookie is ever read, so that "anyone" lets no page in that has no token.
    """
    for name, origin in scope["headers"]:
        if name == b"origin":
            return _shared_with_page(settings, origin)
    return _NOBODY


def _shared_with_page(settings: Settings, origin: bytes) -> Fields:
    if "*" in settings.origins:
        return _ANYONE
    if origin.decode("latin-1") in settings.origins:
        return [(b"access-control-allow-origin", origin), _EXPOSED, _BY_ORIGIN]
    return [_BY_ORIGIN]


async def answer_preflight(settings: Settings, scope: Scope, send: Send) -> int:
    """Tell a browser what a page may ask, and return the status."""
    headers = shared_with(settings, scope) + _PREFLIGHT
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
    return 204
