"""Tests the client's address and scheme behind proxies, as seen by the rest of the server."""

from __future__ import annotations

import pytest
from asgi_driver import call

from auditlane.runtime.client_address import TrustedProxies
from auditlane.server.middleware.client_addresses import ProxyMiddleware

FORGED = "203.0.113.66, 198.51.100.7, 10.0.0.2"


@pytest.mark.parametrize(
    ("trusted", "peer", "headers", "client", "scheme"),
    [
        ("10.0.0.0/8", ("10.0.0.1", 5), {"x-forwarded-for": FORGED}, ("198.51.100.7", 0), "http"),
        ("2", ("10.0.0.1", 5), {"x-forwarded-for": FORGED}, ("198.51.100.7", 0), "http"),
        ("10.0.0.0/8", ("192.0.2.1", 5), {"x-forwarded-for": FORGED}, ("192.0.2.1", 5), "http"),
        ("10.0.0.0/8", ("192.0.2.1", 5), {"x-forwarded-proto": "https"}, ("192.0.2.1", 5), "http"),
        ("10.0.0.0/8", ("10.0.0.1", 5), {"x-forwarded-proto": "https"}, ("10.0.0.1", 5), "https"),
        ("10.0.0.0/8", ("10.0.0.1", 5), {"x-forwarded-proto": "javascript"}, ("10.0.0.1", 5), "http"),
        ("10.0.0.0/8", None, {"x-forwarded-for": "198.51.100.7"}, ("198.51.100.7", 0), "http"),
        ("10.0.0.0/8", None, {}, None, "http"),
    ],
)
def test_only_a_trusted_proxy_is_believed(trusted, peer, headers, client, scheme):
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)

    call(ProxyMiddleware(app, TrustedProxies.parse(trusted)), "GET", "/", headers=headers, client=peer)
    assert (seen["client"], seen["scheme"]) == (client, scheme)
