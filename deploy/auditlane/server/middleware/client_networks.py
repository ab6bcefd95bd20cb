"""Groups client addresses for limits that count by address. Pure."""

from __future__ import annotations

import ipaddress
from typing import Final

_HOST_BITS: Final = 64  # a subscriber has a whole /64 of IPv6 addresses


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
