"""The address of a Redis that sentinels watch over: `redis+sentinel://[user:password@]host:port,host:port/service[/db]`."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

SCHEME = "redis+sentinel"
DEFAULT_PORT = 26379


@dataclass(frozen=True, slots=True)
class SentinelAddress:
    """Where the sentinels are, which service to ask them for, and how to log in to it."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def sentinel_address(url: str) -> SentinelAddress:
    """Read a URL. Raises ValueError, which never repeats the password."""
    scheme, _, rest = url.partition("://")
    login, _, place = rest.rpartition("@")
    username, _, password = map(unquote, login.partition(":"))
    hosts, _, path = place.partition("/")
    service, _, db = path.strip("/").partition("/")
    sentinels = tuple(map(_host_and_port, filter(None, hosts.split(","))))
    if scheme != SCHEME or not sentinels or not service or not (db or "0").isdecimal():
        raise ValueError(f"expected {SCHEME}://[user:password@]host:port,host:port/service[/db]")
    return SentinelAddress(sentinels, unquote(service), int(db or 0), username or None, password or None)


def _host_and_port(text: str) -> tuple[str, int]:
    place = urlsplit(f"//{text}")
    if not place.hostname:
        raise ValueError(f"{text!r} names no host")
    return place.hostname, place.port or DEFAULT_PORT
