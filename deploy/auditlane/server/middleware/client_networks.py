"""Groups client addresses for limits that count by address. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

_HOST_BITS: Final = 64  # a subscriber has a whole /64 of IPv6 addresses

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network_of(host: str | None) -> str:
    """Return an IPv4 address, or the /64 of an IPv6 address; any other text counts as a separate address."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return (host or "")[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return f"{ipaddress.IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/{_HOST_BITS}"
        address = address.ipv4_mapped
    return str(address)


def networks(listed: Iterable[str]) -> tuple[Network, ...]:
    """Parse addresses and networks."""
    return tuple(ipaddress.ip_network(text) for text in listed)


def within(host: str, among: tuple[Network, ...]) -> bool:
    """Return whether the address is in one of the networks."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in among)
