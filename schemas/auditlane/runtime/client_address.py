"""Finds the client's address behind proxies, for the server and every integration."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from auditlane.runtime.errors import ConfigError
from auditlane.runtime.validators import listed


class _Address(NamedTuple):
    """An address in each of the forms that are needed for every request."""

    version: int
    number: int
    text: str


_MOST_ENTRIES = 50  # maximum number of X-Forwarded-For entries read, starting from the right
_MOST_CHARACTERS = 100  # maximum length of an address with its port, zone and spaces


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose X-Forwarded-For entries are trusted: those in `networks`, or the last `hops` entries."""

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    hops: int = 0
    _ranges: tuple[tuple[int, int, int], ...] = field(init=False, repr=False)  # (version, first, last number)

    def __post_init__(self) -> None:
        ranges = tuple(
            (network.version, int(network.network_address), int(network.broadcast_address)) for network in self.networks
        )
        object.__setattr__(self, "_ranges", ranges)

    @classmethod
    def parse(cls, text: str) -> TrustedProxies:
        """Parse comma-separated addresses and networks, or the number of proxies. Raises ConfigError for invalid text.

        Empty text trusts no proxy.
        """
        text = text.strip()
        if text.isascii() and text.isdecimal():
            return cls(hops=int(text))
        try:
            return cls(tuple(ipaddress.ip_network(entry) for entry in listed(text)))
        except ValueError as error:
            raise ConfigError(
                f"trusted_proxies {text[:200]!r} is not valid: {error}.",
                field="trusted_proxies",
                fix="List addresses and networks, such as 10.0.0.0/8,127.0.0.1, or give the number of proxies.",
            ) from None

    def is_proxy(self, peer: str | None) -> bool:
        """Return whether the peer of a connection is a trusted proxy.

        With a hop count, every peer is trusted. With networks, a Unix socket is also trusted, unless no proxy is.
        """
        address = _parsed(peer or "")
        return self.hops > 0 or (bool(self.networks) and (address is None or self.trusts(address)))

    def trusts(self, address: _Address) -> bool:
        """Return whether this is a trusted proxy's address."""
        return any(
            version == address.version and first <= address.number <= last for version, first, last in self._ranges
        )


NO_PROXIES = TrustedProxies()


def client_address(
    peer: str | None, forwarded_for: Sequence[str] = (), trusted: TrustedProxies = NO_PROXIES
) -> str | None:
    """Return the client's IP address, or None if it is unknown.

    Every proxy appends the address from which it was called, so only the right-most entries can be trusted. A client
    can send any others itself. The result is the peer or, if the peer is a trusted proxy, the right-most entry that is
    not a trusted proxy. With a hop count of n, it is the n-th entry from the right.

    Args:
        peer: Address of the socket's other end; None or a path for a Unix socket, which counts as a trusted proxy if
            any proxy is trusted.
        forwarded_for: Values of the X-Forwarded-For headers, in the order of the headers.
        trusted: The proxies to trust.
    """
    last = _parsed(peer or "")
    if not trusted.is_proxy(peer):
        return _text(last)
    entries = [entry for value in forwarded_for for entry in value.split(",")][-_MOST_ENTRIES:]
    for distance, entry in enumerate(reversed(entries), start=1):
        address = _parsed(entry)
        if address is None:  # not written by a trusted proxy
            return _text(last)
        last = address
        if distance == trusted.hops or (trusted.networks and not trusted.trusts(address)):
            break
    return _text(last)


def _parsed(entry: str) -> _Address | None:
    return _parsed_once(entry) if len(entry) <= _MOST_CHARACTERS else None


@lru_cache(maxsize=4_096)
def _parsed_once(entry: str) -> _Address | None:
    """Parse an address. Some proxies write it with a port, in brackets or in quotes."""
    entry = entry.strip().strip('"')
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        address = ipaddress.ip_address(entry.partition("%")[0])
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    return _Address(address.version, int(address), str(address))


def _text(address: _Address | None) -> str | None:
    return None if address is None else address.text
