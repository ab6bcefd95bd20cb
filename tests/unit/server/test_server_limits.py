"""Tests limits on concurrent requests and slow bodies, CORS origins, and trusted proxies."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from serving import Served

from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load

OURS, OTHERS = "https://app.vendor.test", "https://elsewhere.test"


@pytest.fixture
def served(tmp_path) -> Iterator[Served]:
    with Served(
        tmp_path, serve_max_concurrency=1, serve_body_timeout_s=0.2, cors_origins=f"{OURS}, http://127.0.0.1:1"
    ) as service:
        yield service


def raw(served: Served, text: str) -> socket.socket:
    at = urlsplit(served.url)
    connection = socket.create_connection((at.hostname, at.port), timeout=30)
    connection.sendall(text.encode())
    return connection


def slow_post(served: Served, path: str = "/v1/viewer-tokens") -> socket.socket:
    token = served.client_token("vendor")
    return raw(
        served,
        f"POST {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        'Content-Length: 1000\r\n\r\n{"tenant": ',
    )


def whole(connection: socket.socket) -> tuple[str, dict]:
    text = b""
    while piece := connection.recv(65_536):
        text += piece
    head, _, body = text.decode().partition("\r\n\r\n")
    return head.lower(), json.loads(body)


def test_a_slow_body_is_aborted(served):
    with slow_post(served) as connection:
        head, body = whole(connection)  # reads to the end, since the server closes the connection
    assert "408 request timeout" in head
    assert body["code"] == "BODY_TIMEOUT"
    assert "bytes so far" in body["detail"]


def test_requests_above_the_limit_get_a_retry_after(tmp_path):
    with Served(tmp_path, serve_max_concurrency=1, serve_body_timeout_s=60) as served:
        entered, go_on = threading.Event(), threading.Event()

        def hold() -> dict[str, bool]:
            entered.set()
            go_on.wait(30)
            return {"held": True}

        served.app.add_api_route("/v1/hold", hold)
        first: list[int] = []
        thread = threading.Thread(target=lambda: first.append(served.request("/v1/hold").status))
        thread.start()
        assert entered.wait(30)
        refused = served.request("/v1/events")
        assert refused.status == 503
        assert refused.json()["code"] == "BUSY"
        assert refused.headers["retry-after"] == "5"
        assert served.request("/health/live").status == 200
        token = served.request("/v1/token", method="POST", body={"client_id": "x", "secret": "y"})
        assert token.status == 401  # the credential was checked, so the request was not rejected as busy
        go_on.set()
        thread.join(30)
        assert first == [200]
        assert served.request("/v1/events").status == 401  # that request's slot is free again


def test_pages_of_listed_origins_can_call_and_also_read_errors(served):
    headers = {
        "origin": OURS,
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }
    preflight = served.request("/v1/events", method="OPTIONS", **headers)
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == OURS
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    refused = served.request("/v1/events", origin=OURS)
    assert refused.status == 401
    assert refused.headers["access-control-allow-origin"] == OURS
    assert "retry-after" in refused.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-origin" not in served.request("/v1/events", origin=OTHERS).headers
    assert served.request("/v1/events", method="OPTIONS", **(headers | {"origin": OTHERS})).status == 400


@pytest.mark.parametrize("value", ["*", "app.vendor.test", "https://app.vendor.test/", "https://a b"])
def test_an_invalid_origin_is_rejected_at_startup(value):
    with pytest.raises(ConfigError, match="AUDITLANE_CORS_ORIGINS"):
        load(cors_origins=value)


@pytest.mark.parametrize("value", ["proxy.internal", "10.0.0.1/8", "*", "-1", "2,10.0.0.0/8"])
def test_an_invalid_network_is_rejected_at_startup(value):
    with pytest.raises(ConfigError, match="AUDITLANE_TRUSTED_PROXIES"):
        load(trusted_proxies=value)
    assert load(trusted_proxies="10.0.0.0/8, ::1").trusted_proxies
    assert load(trusted_proxies="2").trusted_proxies == "2"
