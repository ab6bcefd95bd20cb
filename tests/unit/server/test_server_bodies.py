"""Tests that requests without a credential are rejected before their body is read, and that slow bodies do not occupy
slots.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from serving import Served
from surface import Operation, operations

from auditlane.runtime.errors import Busy, RateLimited
from auditlane.server.auth.authentication import RouteChecks
from auditlane.server.middleware.bodies import PendingBodies
from auditlane.server.middleware.limits import RequestSlots

NOWHERE = {"kafka_bootstrap": "127.0.0.1:1", "registry_url": "http://127.0.0.1:1"}
# Routes that issue a credential do not require one; all others do.
OPEN = {"POST /v1/token", "POST /auth/vendor", "POST /vendors/auth/token", "POST /leave", "POST /enter"}
PLACES = {"tenant": "acme", "name": "region", "export_id": "x", "event_id": "x", "view_id": "x"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve without other services, and with timeouts that are longer than any test."""
    with Served(
        tmp_path_factory.mktemp("served"), **NOWHERE, serve_max_concurrency=2, serve_body_timeout_s=300
    ) as service:
        yield service


def raw(served: Served, head: str, *headers: str, body: bytes = b"") -> socket.socket:
    """Open a connection, and send only this part of a request."""
    at = urlsplit(served.url)
    connection = socket.create_connection((at.hostname, at.port), timeout=30)
    lines = [f"{head} HTTP/1.1", "Host: here", *headers]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return connection


def answered(connection: socket.socket) -> tuple[int, dict[str, str], str]:
    """Read the response without sending any more, and return its status, headers and body."""
    with connection, connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        lines = iter(lambda: file.readline().decode().strip(), "")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return status, headers, file.read(int(headers["content-length"])).decode()


def with_bodies(served: Served) -> list[Operation]:
    found = [one for one in operations(served.app) if one.method in ("POST", "PUT", "PATCH", "DELETE")]
    return [one for one in found if str(one) not in OPEN]


BODIES = [("Content-Length: 1000",), ("Content-Length: 1000", "Expect: 100-continue")]


def test_every_route_rejects_missing_credentials_before_the_body(served):
    requests = with_bodies(served)
    assert len(requests) > 15
    for operation in requests:
        for length in BODIES:
            for credential in ((), ("Authorization: Bearer wrong",)):
                given = ("Content-Type: application/json", *length, *credential)
                status, headers, body = answered(raw(served, f"{operation.method} {operation.at(PLACES)}", *given))
                assert status == 401, f"{operation}: {status} {body}"
                assert headers["connection"] == "close"


def test_a_missing_permission_is_rejected_before_the_body(served):
    tokens = {
        "/v1/events": served.client_token("auditor"),  # a client without permission to write
        "/v1/structure/fields": served.client_token("vendor", tenant="acme"),  # the environment's
        "/v1/tenants/globex/structure/fields": served.client_token("vendor", tenant="acme"),
        "/v1/admin/console-links": served.client_token("vendor"),
        "/v1/exports": served.client_token("writer", tenant="acme"),
    }
    for path, token in tokens.items():
        given = (f"Authorization: Bearer {token}", "Content-Type: application/json", "Content-Length: 1000")
        status, headers, body = answered(raw(served, f"POST {path}", *given))
        assert status == 403, f"{path}: {body}"
        assert headers["connection"] == "close"


@pytest.mark.parametrize("path", ["/v1/viewer-tokens", "/v1/events", "/v1/token", "/auth/vendor", "/console/view"])
@pytest.mark.parametrize("credential", [True, False], ids=["client", "nobody"])
def test_requests_without_their_bodies_do_not_occupy_slots(served, path, credential):
    """There are only two slots, and many such requests."""
    headers = [f"Authorization: Bearer {served.client_token('vendor')}"] if credential else []
    headers += ["Content-Type: application/json", "Content-Length: 1000"]
    with ExitStack() as open_:
        for number in range(40):
            body = b"" if number % 2 else b'{"tenant": '
            open_.enter_context(raw(served, f"POST {path}", *headers, body=body))
        issued = served.client("vendor")
        key = {"client_id": issued.client.client_id, "secret": issued.secret}
        token = served.request("/v1/token", method="POST", body=key)
        assert token.status == 200
        for _ in range(3):
            body = {"tenant": "acme", "user": "jane"}
            minted = served.request("/v1/viewer-tokens", token.json()["access_token"], method="POST", body=body)
            assert minted.status == 200, minted.data
            assert served.request("/v1/events").status == 401


def test_an_endless_chunked_body_does_not_occupy_a_slot(served):
    headers = (f"Authorization: Bearer {served.client_token('writer', tenant='acme')}",)
    chunked = ("Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
    with ExitStack() as open_:
        for _ in range(10):
            open_.enter_context(raw(served, "POST /v1/events", *headers, *chunked, body=b"2\r\n{}\r\n"))
        for _ in range(3):
            assert served.request("/v1/events").status == 401
    status, _, body = answered(raw(served, "POST /v1/viewer-tokens", *headers, *chunked, body=b"2\r\n{}\r\n"))
    assert (status, json.loads(body)["code"]) == (411, "LENGTH_REQUIRED")


@pytest.mark.parametrize("path", ["/v1/token", "/auth/vendor", "//vendors//auth/token/", "/leave"])
def test_routes_without_credentials_accept_small_bodies_only(served, path):
    status, headers, body = answered(raw(served, f"POST {path}", "Content-Length: 5000", body=b"x" * 4_000))
    assert status == 413, body
    assert "4096" in body
    assert headers["connection"] == "close"


@pytest.mark.parametrize("head", ["POST /nothing", "PUT /v1/token", "POST /static/x"])
def test_an_unknown_path_reads_no_body(served, head):
    status, headers, _ = answered(raw(served, head, "Content-Length: 1000000"))
    assert status in (404, 405)
    assert headers["connection"] == "close"


def test_a_client_that_is_still_sending_gets_the_response(served):
    """A megabyte is still being sent when the response arrives. If the connection were reset, the response would be
    lost.
    """
    headers = ("Content-Type: application/json", "Content-Length: 1000000")
    status, _, body = answered(raw(served, "POST /v1/viewer-tokens", *headers, body=b"x" * 1_000_000))
    assert (status, json.loads(body)["code"]) == (401, "UNAUTHENTICATED")


def test_an_expected_body_is_requested_once(served):
    """The client waits for `100 Continue`, which it receives only if its credential is valid."""
    token = served.client_token("vendor")
    text = b'{"tenant": "acme", "user": "jane"}'
    headers = (f"Authorization: Bearer {token}", "Content-Type: application/json", f"Content-Length: {len(text)}")
    with raw(served, "POST /v1/viewer-tokens", *headers, "Expect: 100-continue", "Connection: close") as connection:
        assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(text)
        status, _, body = answered(connection)
    assert status == 200, body


def test_one_address_cannot_leave_any_number_of_bodies_pending(tmp_path: Path):
    with Served(tmp_path, serve_bodies_per_address=3, serve_body_timeout_s=300) as served, ExitStack() as open_:
        given = (f"Authorization: Bearer {served.client_token('vendor')}", "Content-Length: 1000")
        many = [open_.enter_context(raw(served, "POST /v1/viewer-tokens", *given)) for _ in range(4)]
        [refused], _, _ = select.select(many, [], [], 30)
        status, headers, body = answered(refused)
        assert (status, json.loads(body)["code"]) == (429, "RATE_LIMITED")
        assert "retry-after" in headers
        assert served.request("/v1/events").status == 401  # needs no body
        at = urlsplit(served.url)
        with socket.create_connection((at.hostname, at.port), 30, source_address=("127.0.0.2", 0)) as elsewhere:
            elsewhere.sendall(b"POST /v1/token HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            assert answered(elsewhere)[0] == 400


def test_bytes_of_unfinished_bodies_are_shared():
    pending = PendingBodies(address_limit=10, byte_limit=8 << 20)
    pending.add("acme", 2 << 20)
    with pytest.raises(RateLimited):
        pending.add("acme", 1)
    for tenant in ("one", "two", "three"):
        pending.add(tenant, 2 << 20)
    with pytest.raises(Busy):
        pending.add("four", 1)
    pending.remove("acme", 2 << 20)
    pending.add("four", 1)
    for tenant, held in (("four", 1), ("one", 2 << 20), ("two", 2 << 20), ("three", 2 << 20)):
        pending.remove(tenant, held)
    assert pending == PendingBodies(10, 8 << 20)  # nothing is left of earlier requests


def test_one_tenant_has_a_share_of_the_slots():
    changes: list[int] = []
    slots = RequestSlots(limit=4, tenant_limit=2, count=changes.append)
    slots.add("acme", 1)
    slots.require_for("acme")
    slots.add("acme", 1)
    with pytest.raises(RateLimited):
        slots.require_for("acme")
    slots.require_for("globex")
    slots.require_for("")  # for no particular tenant
    slots.add("globex", 1)
    slots.require()
    slots.add("", 1)
    with pytest.raises(Busy):
        slots.require()
    for tenant in ("acme", "acme", "globex", ""):
        slots.add(tenant, -1)
    slots.require()
    assert not slots._tenants
    assert changes == [1, 1, 1, 1, -1, -1, -1, -1]


def test_every_route_that_reads_a_body_requires_a_credential_or_is_listed_as_open(served):
    route_checks = RouteChecks(served.app)
    for operation in operations(served.app):
        if operation.method in ("POST", "PUT", "PATCH", "DELETE"):
            door = route_checks.find(
                {"type": "http", "method": operation.method, "path": operation.at(PLACES), "headers": []}
            )
            assert door is not None, operation
            assert bool(door.checks) == (str(operation) not in OPEN), operation
