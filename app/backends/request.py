"""A call as the bytes of one HTTP/1.1 request, and the address they go to."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from routers.call import Call
from routers.hops import SAFE_METHODS, UnsafeCallError, safe_path, sent_headers
from routers.model import Backend

ONE_WRITE_BYTES = 1 << 16
"""The longest body that is written together with its head; longer ones are written as the backend takes them."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TOKEN_BYTES = bytes(byte for byte in range(128) if _TOKEN.fullmatch(chr(byte)))
_BREAKS_A_LINE = re.compile(rb"[\r\n\0]")


class Address(NamedTuple):
    """Where connections go: those to one address are interchangeable."""

    host: str
    port: int
    is_tls: bool

    @property
    def is_literal(self) -> bool:
        """Whether the host is an IP address, and no name to resolve."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be written: `body` is what did not fit into one write with the head."""

    address: Address
    head: bytes
    body: bytes
    is_head: bool
    may_repeat: bool


class _Base(NamedTuple):
    """What the URL of a backend says: its address, the Host header, and what goes before each path."""

    address: Address
    host: bytes
    prefix: str


def request_of(backend: Backend, call: Call) -> Request:
    """Return the request that carries the call; raise `UnsafeCallError` for a call that may go nowhere.

    Host and Content-Length are written here and nowhere else; header values go as the bytes they are.
    """
    address, host, prefix = _base(backend.url)
    target = prefix + safe_path(call.path)
    if not target.startswith("/"):
        target = f"/{target}"
    lines = [b"%b %b HTTP/1.1\r\nHost: %b" % (_method(call.method), target.encode("ascii"), host)]
    lines += _header_lines(call)
    is_safe = call.method in SAFE_METHODS
    if call.body or not is_safe:
        lines.append(b"Content-Length: %d" % len(call.body))
    fits = len(call.body) <= ONE_WRITE_BYTES
    lines += (b"", call.body if fits else b"")
    body = b"" if fits else call.body
    return Request(address, b"\r\n".join(lines), body, call.method == "HEAD", is_safe and not call.body)


def _header_lines(call: Call) -> list[bytes]:
    """Refuse what would end a header early: whoever could, could write a request of their own behind this one."""
    headers = sent_headers(call.headers)
    if not all(name for name, _ in headers) or b"".join([name for name, _ in headers]).translate(None, _TOKEN_BYTES):
        raise UnsafeCallError("a header's name is no token")
    if _BREAKS_A_LINE.search(b"".join([value for _, value in headers])):
        raise UnsafeCallError("a header's value holds CR, LF or NUL")
    return [name + b": " + value for name, value in headers]


@lru_cache(maxsize=128)
def _method(method: str) -> bytes:
    if not _TOKEN.fullmatch(method):
        raise UnsafeCallError("the method is no token")
    if method.upper() == "CONNECT":
        raise UnsafeCallError("CONNECT asks for a tunnel, not for an answer")
    return method.encode("ascii")


@lru_cache(maxsize=1024)
def _base(url: str) -> _Base:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    usual_port = 443 if is_tls else 80
    host, port = parts.hostname or "", usual_port if parts.port is None else parts.port
    spelled = f"[{host}]" if ":" in host else host
    told = spelled if port == usual_port else f"{spelled}:{port}"
    return _Base(Address(host, port, is_tls), told.encode("ascii"), parts.path.rstrip("/"))
