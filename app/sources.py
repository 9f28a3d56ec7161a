"""Where a request comes from: the address that counts, when proxies stand before the service."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers = Iterable[tuple[bytes, bytes]]

UNKNOWN = "unknown"


def caller_behind(peer: str, headers: Headers, proxies: Sequence[Network]) -> str:
    """Return the address of who called the outermost of the trusted proxies; without any, the connection's own.

    Each proxy adds whom it saw to the end of `X-Forwarded-For`, so from there on only what they wrote is believed.
    """
    if not proxies or not _is_among(peer, proxies):
        return peer
    told = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    seen = peer
    for each in reversed(told.decode("latin-1").split(",")):
        address = each.strip()
        if not _is_address(address):
            break
        seen = address
        if not _is_among(address, proxies):
            break
    return seen


def networks_of(text: str) -> tuple[Network, ...]:
    """Return networks and addresses that commas divide. Raises ValueError for what is none."""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


@lru_cache(maxsize=4096)
def source_of(host: str) -> str:
    """Return who counts as one source: an address, of IPv6 the network of 64 bits that one customer has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))


def _is_among(host: str, networks: Sequence[Network]) -> bool:
    if not _is_address(host):
        return False
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any((mapped or address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
