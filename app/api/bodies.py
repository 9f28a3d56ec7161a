"""The body of a call to carry: whole where it is short or decides, else an upload that is carried as it comes."""

from app.api.asgi import Receive, in_time, piece_of, read_body, too_large
from app.api.uploads import Upload
from app.wiring import Services
from routers.call import Headers
from routers.model import Auth, Route

GATHERED_BYTES = 1 << 16
"""Bodies that announce up to this length are read whole before anything is decided."""


async def body_or_upload(
    services: Services, route: Route, headers: Headers, receive: Receive
) -> tuple[bytes, Upload | None]:
    """Return the whole body, or none of it and an upload.

    Raises CallerLeftError, and ProblemError 413 and 408; with a token, the first piece may take as long as it likes.
    """
    if route.auth is Auth.TOKEN:
        message = await receive()
    else:
        message = await in_time(receive(), services.settings.body_timeout_s)
    piece, limit = piece_of(message), services.settings.max_body_bytes
    if len(piece) > limit:
        raise too_large(limit)
    if not message.get("more_body", False):
        return piece, None
    return await _rest(services, route, headers, receive, piece)


async def _rest(
    services: Services, route: Route, headers: Headers, receive: Receive, first: bytes
) -> tuple[bytes, Upload | None]:
    limit, seconds = services.settings.max_body_bytes, services.settings.body_timeout_s
    # the route may have changed while the piece came
    if _is_carried(services.live.state.routes.get(route.name, route), length := _length(headers)):
        clock = services.clock.monotonic
        return b"", Upload(receive, first, length, limit=limit, seconds=seconds, clock=clock)
    return await in_time(read_body(receive, limit, first), seconds), None


def _is_carried(route: Route, length: int | None) -> bool:
    """Whether the body is needed by no one but a backend: not to know who calls, nor, if short, for a kept answer."""
    if any(source.json_path is not None for source in (route.key, *route.attributes.values())):
        return False
    return route.cache is None if length is None else length > GATHERED_BYTES


def _length(headers: Headers) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
