"""IP addresses in networks. An IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) is the IPv4 address it stands for."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

MAX_LENGTH = 64
_MAPPED_BITS = 96

Network = IPv4Network | IPv6Network


def address(text: str) -> IPv4Address | IPv6Address:
    """Return the address. Raises ValueError for what is none, and for one with a zone (`fe80::1%eth0`)."""
    if len(text) > MAX_LENGTH or "%" in text:
        raise ValueError(f'"{text[:MAX_LENGTH]}" is no IP address')
    read = ip_address(text)
    return (read.ipv4_mapped or read) if isinstance(read, IPv6Address) else read


def network(text: str) -> Network:
    """Return the network, one of a single address for an address alone. Raises ValueError, host bits set among it."""
    if len(text) > MAX_LENGTH or "%" in text:
        raise ValueError(f'"{text[:MAX_LENGTH]}" is no network')
    read = ip_network(text)
    mapped = read.network_address.ipv4_mapped if isinstance(read, IPv6Network) else None
    if mapped is None or read.prefixlen < _MAPPED_BITS:
        return read
    return IPv4Network((mapped, read.prefixlen - _MAPPED_BITS))


def within(networks: Sequence[str]) -> Callable[[str], bool]:
    """Return the function that says whether an address is in one of the networks; what is no address is in none."""
    nets = {version: [each for each in map(network, networks) if each.version == version] for version in (4, 6)}
    by_prefix = {
        version: [
            (prefix, frozenset(int(each.network_address) >> prefix for each in those if _host_bits(each) == prefix))
            for prefix in {_host_bits(each) for each in those}
        ]
        for version, those in nets.items()
    }

    def contains(text: str) -> bool:
        try:
            given = address(text)
        except ValueError:
            return False
        number = int(given)
        return any(number >> bits in starts for bits, starts in by_prefix[given.version])

    return contains


def _host_bits(net: Network) -> int:
    return net.max_prefixlen - net.prefixlen
