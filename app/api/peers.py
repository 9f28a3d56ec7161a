"""Who is on the other end of a request."""

from app.api.asgi import Scope
from app.sources import UNKNOWN, caller_behind, source_of
from app.wiring import Services


def address_of(scope: Scope) -> str:
    """Return the address of the connection, `unknown` for one that has none."""
    client = scope.get("client")
    return client[0] if client else UNKNOWN


def source_in(services: Services, scope: Scope) -> str:
    """Return who counts as one source of requests, behind the proxies that the settings trust."""
    return source_of(caller_behind(address_of(scope), scope["headers"], services.settings.proxies))
