"""What of a caller's headers the backends are sent: all but Crossfade's own, and who calls (RFC 7239)."""

import re
from functools import lru_cache

from app.api.asgi import Scope
from app.api.peers import address_of
from app.errors import Code, ProblemError
from app.sticky_tokens import STICKY_HEADER
from app.wiring import Services
from routers.call import Headers
from routers.hops import DEADLINE_HEADER

LONGEST_DEADLINE = 15
"""How many digits a deadline may have; more milliseconds than that are no time that anybody waits."""

_AUTHORIZATION, _FORWARDED, _FORWARDED_FOR = b"authorization", b"forwarded", b"x-forwarded-for"
_OURS = frozenset({b"x-crossfade-token", STICKY_HEADER})
_LOOKED_AT = _OURS | {DEADLINE_HEADER, b"host", _AUTHORIZATION, _FORWARDED, _FORWARDED_FOR}
_PLAIN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_QUOTABLE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")


def forwarded_headers(services: Services, scope: Scope) -> tuple[Headers, float | None]:
    """Return the headers that travel on, and for how many seconds the caller waits at most, if he says so.

    What proxies before told of the caller is kept, and the address that is seen here comes after it.
    Raises ProblemError 400 for a deadline that is none.
    """
    kept: Headers = []
    host, told, told_for, within_s = b"", b"", b"", None
    for header in scope["headers"]:
        name, value = header
        if name not in _LOOKED_AT:
            kept.append(header)
        elif name == b"host":
            host = value
        elif name == _AUTHORIZATION:
            if not _is_ours(services, value):
                kept.append(header)
        elif name == DEADLINE_HEADER:
            within_s = _seconds(value)
        elif name == _FORWARDED:
            told += value + b", "
        elif name == _FORWARDED_FOR:
            told_for += value + b", "
    address = address_of(scope)
    kept.append((_FORWARDED, told + _element(address, host, scope.get("scheme", "http"))))
    if told_for:
        kept.append((_FORWARDED_FOR, told_for + address.encode()))
    return kept, within_s


def _is_ours(services: Services, authorization: bytes) -> bool:
    """Say whether it is a token of Crossfade, which no backend may see, also when it has expired."""
    if authorization[:7].lower() != b"bearer ":
        return False
    return services.live.state.tokens.is_one(authorization[7:])


def _seconds(value: bytes) -> float:
    milliseconds = int(value) if value.isdigit() and len(value) <= LONGEST_DEADLINE else 0
    if milliseconds == 0:
        detail = f"{DEADLINE_HEADER.decode()} must be a whole number of milliseconds, at least 1"
        raise ProblemError(400, Code.INVALID_REQUEST, detail)
    return milliseconds / 1000


@lru_cache(maxsize=1024)
def _element(address: str, host: bytes, scheme: str) -> bytes:
    """Return what this hop knows: who calls, under which name, and how."""
    pairs = {"for": f"[{address}]" if ":" in address else address, "host": host.decode("latin-1"), "proto": scheme}
    quoted = {name: _quoted(value) for name, value in pairs.items()}
    return ";".join(f"{name}={value}" for name, value in quoted.items() if value).encode()


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return f'"{value}"' if _QUOTABLE.fullmatch(value) else ""
