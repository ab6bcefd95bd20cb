"""Tests how the client's address is determined behind proxies. Entries that a client could forge are never used."""

from __future__ import annotations

import pytest

from auditlane.runtime.client_address import NO_PROXIES, TrustedProxies, client_address
from auditlane.runtime.errors import ConfigError

NETWORKS = TrustedProxies.parse("10.0.0.0/8, 2001:db8:1::/48")
TWO = TrustedProxies.parse("2")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "trusted", "expected"),
    [
        ("192.0.2.1", ["198.51.100.7"], NO_PROXIES, "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], NETWORKS, "192.0.2.1"),  # the peer is not a trusted proxy
        ("10.0.0.1", ["198.51.100.7"], NETWORKS, "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.66, 198.51.100.7, 10.0.0.2"], NETWORKS, "198.51.100.7"),  # the first entry is forged
        ("10.0.0.1", ["203.0.113.66", "198.51.100.7", "10.0.0.2"], NETWORKS, "198.51.100.7"),  # several headers
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], NETWORKS, "10.0.0.3"),  # only proxies: the farthest one counts
        ("10.0.0.1", ["198.51.100.7, nonsense, 10.0.0.2"], NETWORKS, "10.0.0.2"),
        ("10.0.0.1", [], NETWORKS, "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7:4711"], NETWORKS, "198.51.100.7"),
        ("2001:db8:1::5", ['"[2001:db8:2::7]:4711"'], NETWORKS, "2001:db8:2::7"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], NETWORKS, "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.66, 198.51.100.7, 192.0.2.9"], TWO, "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7"], TWO, "198.51.100.7"),
        ("", ["198.51.100.7"], NETWORKS, "198.51.100.7"),  # a Unix socket
        (None, [], NETWORKS, None),
        (None, ["198.51.100.7"], NO_PROXIES, None),
        ("10.0.0.1", [",".join(["203.0.113.66"] * 100_000)], NETWORKS, "203.0.113.66"),
    ],
)
def test_the_rightmost_address_that_is_not_a_trusted_proxy_counts(peer, forwarded_for, trusted, expected):
    assert client_address(peer, forwarded_for, trusted) == expected


@pytest.mark.parametrize("text", ["10.0.0.0/8, proxy.example", "10.0.0.1/8", "-1", "1.5"])
def test_a_wrong_list_of_proxies_is_refused(text):
    with pytest.raises(ConfigError) as caught:
        TrustedProxies.parse(text)
    assert caught.value.field == "trusted_proxies"
    assert "10.0.0.0/8" in caught.value.fix


def test_no_text_trusts_no_proxy():
    assert TrustedProxies.parse(" ") == NO_PROXIES


@pytest.mark.parametrize(
    ("peer", "trusted", "is_proxy"),
    [
        ("10.1.2.3", NETWORKS, True),
        ("11.1.2.3", NETWORKS, False),
        ("::ffff:10.1.2.3", NETWORKS, True),
        ("192.0.2.1", TWO, True),
        (None, NETWORKS, True),  # a Unix socket
        (None, TWO, True),
        (None, NO_PROXIES, False),
        ("10.1.2.3", NO_PROXIES, False),
    ],
)
def test_a_peer_is_a_proxy_by_its_network_or_by_the_hop_count(peer, trusted, is_proxy):
    assert trusted.is_proxy(peer) is is_proxy
