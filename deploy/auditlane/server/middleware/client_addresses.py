"""Determines client addresses. They are taken from trusted proxies, by the same rule as in the framework integrations,
and grouped for limits.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from auditlane.runtime.client_address import TrustedProxies, client_address

_SCHEMES: Final = {b"http": "http", b"https": "https"}
_HOST_BITS: Final = 64  # a subscriber has a whole /64 of IPv6 addresses


class ProxyMiddleware:
    """ASGI middleware that replaces the scope's `client` and `scheme` if the request came through a trusted proxy."""

    def __init__(self, app: ASGIApp, trusted: TrustedProxies) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer = scope["client"][0] if scope.get("client") else None
            if self._trusted.is_proxy(peer):
                self._rewrite(scope, peer)
        await self._app(scope, receive, send)

    def _rewrite(self, scope: Scope, peer: str | None) -> None:
        forwarded = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                forwarded.append(value.decode("latin-1"))
            elif name == b"x-forwarded-proto":
                scope["scheme"] = _SCHEMES.get(value.strip().lower(), scope["scheme"])
        if (address := client_address(peer, forwarded, self._trusted)) is not None and address != peer:
            scope["client"] = (address, 0)


@lru_cache(maxsize=4_096)  # clients send many requests
def network_of(host: str | None) -> str:
    """Return an IPv4 address unchanged, and the /64 network of an IPv6 address. Any other text counts as an address of
    its own.
    """
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return (host or "")[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return f"{ipaddress.IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/{_HOST_BITS}"
        address = address.ipv4_mapped
    return str(address)
