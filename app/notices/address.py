"""Where notices go, and how whoever gets them knows that they are from here."""

import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import urlsplit

from routers.call import Headers
from routers.model import Backend


class Address(NamedTuple):
    """A receiver: its origin, and the path with its query, which is a secret as often as not."""

    receiver: Backend
    path: str
    secret: bytes | None


def address_of(url: str, secret: str | None) -> Address:
    """Read where a URL leads."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    key = None if secret is None else secret.encode()
    return Address(Backend(url=f"{parts.scheme}://{parts.netloc}"), path, key)


def headers_of(address: Address, body: bytes, at: int) -> Headers:
    """Return the headers of a notice that is sent `at`, in seconds since 1970."""
    headers = [(b"content-type", b"application/json"), (b"user-agent", b"crossfade")]
    if address.secret is not None:
        headers.append((b"x-crossfade-signature", signature(address.secret, body, at).encode()))
    return headers


def signature(secret: bytes, body: bytes, at: int) -> str:
    """Sign a body together with the time, so that an old one cannot be sent again as new."""
    digest = hmac.new(secret, b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
