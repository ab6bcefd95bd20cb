"""Tests that failed sign-ins are limited by address and by client id, without ever locking out a client with the
correct secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import urllib3
from serving import HOUR, Served

from auditlane.access.links import mint_link
from auditlane.access.permissions import VIEWER
from auditlane.access.tokens import Viewer
from auditlane.gateway.rate import Rates
from auditlane.server.middleware.client_addresses import network_of

WRONG = "als_" + "A" * 43
TOKEN_ROUTES = {"/v1/token": "client_id", "/auth/vendor": "clientId", "/vendors/auth/token": "clientId"}


@pytest.fixture
def served(tmp_path) -> Iterator[Served]:
    limits = {"sign_in_failures_per_address": 6, "sign_in_failures_per_client": 3, "tokens_per_client": 4}
    with Served(tmp_path, **limits) as service:
        yield service


class From:
    """A client that connects from this loopback address."""

    def __init__(self, served: Served, address: str) -> None:
        self._pool = urllib3.PoolManager(retries=False, timeout=30.0, source_address=(address, 0))
        self._url = served.url

    def token(self, client_id: str, secret: str, path: str = "/v1/token") -> urllib3.BaseHTTPResponse:
        body = json.dumps({TOKEN_ROUTES[path]: client_id, "secret": secret})
        return self._pool.request("POST", self._url + path, body=body, headers={"content-type": "application/json"})


@pytest.mark.parametrize("path", TOKEN_ROUTES)
def test_wrong_secrets_must_wait_and_the_right_one_is_accepted(served, path):
    issued, attacker, elsewhere = served.client("vendor"), From(served, "127.0.0.2"), From(served, "127.0.0.3")
    client_id = issued.client.client_id
    refusals = [attacker.token(client_id, secret, path) for secret in (WRONG, "x") * 4]
    assert [one.status for one in refusals] == [401] * 3 + [429] * 5
    assert int(refusals[-1].headers["retry-after"]) >= 1
    assert attacker.token("another", WRONG, path).status == 401  # another id: the address has attempts left
    assert attacker.token(client_id, issued.secret, path).status == 200
    assert elsewhere.token(client_id, WRONG, path).status == 401
    assert elsewhere.token(client_id, issued.secret, path).status == 200


def test_an_address_that_tries_many_ids_must_wait(served):
    attacker, elsewhere = From(served, "127.0.0.2"), From(served, "127.0.0.3")
    assert [attacker.token(f"id{number}", WRONG).status for number in range(9)] == [401] * 6 + [429] * 3
    assert elsewhere.token("id0", WRONG).status == 401


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_wrong_codes_of_links_must_wait(served, method):
    def opened(code: str = "x") -> int:
        return int(served.request(f"/enter?code={code}", method=method).status)

    assert [opened() for _ in range(8)] == [401] * 6 + [429] * 2
    viewer = Viewer("acme", "jane", VIEWER)
    link = mint_link(served.signing, viewer, url=served.url, now=datetime.now(UTC), session=HOUR)
    assert opened(link.partition("code=")[2]) in (200, 303)
    assert From(served, "127.0.0.3").token("id", WRONG).status == 401


def test_a_client_that_requests_too_many_tokens_must_wait(served):
    first, other, us = served.client("vendor"), served.client("vendor"), From(served, "127.0.0.2")
    assert [us.token(first.client.client_id, first.secret).status for _ in range(5)] == [200] * 4 + [429]
    assert us.token(other.client.client_id, other.secret).status == 200


def test_one_tenants_viewer_tokens_do_not_use_up_another_tenants(served):
    token = served.client_token("vendor")

    def mint(tenant: str) -> int:
        body = {"tenant": tenant, "user": "jane"}
        return int(served.request("/v1/viewer-tokens", token, method="POST", body=body).status)

    assert [mint("acme") for _ in range(5)] == [200] * 4 + [429]
    assert mint("globex") == 200


def test_addresses_of_one_subscriber_count_together():
    assert network_of("10.0.0.1") == network_of("::ffff:10.0.0.1") != network_of("10.0.0.2")
    assert network_of("2001:db8:0:1::1") == network_of("2001:db8:0:1:ffff::2%eth0") != network_of("2001:db8:0:2::1")
    assert network_of(None) == network_of("") == ""
    assert len(network_of("x" * 1_000)) < 100


def test_memory_is_bounded_for_any_number_of_callers():
    rates = Rates(per_s=1, burst=2, most_keys=100)
    for number in range(10_000):
        rates.charge(("address", number), 2, 0.0)
        rates.wait_s(("asked", number), 0.0)
    assert len(rates._buckets) == 100
    assert rates.wait_s(("address", 9_999), 0.0) > 0
    assert rates.wait_s(("address", 0), 0.0) == 0  # evicted
