"""Tests each rare status on every route that declares it. The response is a problem with the correct code."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from querying import Store, event, store
from serving import Served
from surface import operations

from auditlane.query.clickhouse.executor import TenantConcurrency
from auditlane.server import services

NOWHERE = {"kafka_bootstrap": "127.0.0.1:1", "registry_url": "http://127.0.0.1:1", "ingest_ack_timeout_ms": 300}
VALUES = {
    "event_id": "019391a4-7f3c-7cc2-9d2e-0242ac120002",
    "export_id": "x",
    "view_id": "x",
    "name": "x",
    "tenant": "acme",
}
NEEDED = {"/v1/facets": "?field=action", "/v1/stats/groups": "?field=action", "/v1/export": "?format=csv"}


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.add([event(number) for number in range(3)])
        yield made


def declaring(served: Served, status: str) -> list[tuple[str, str]]:
    """Return the method and path of each operation that documents this status."""
    paths = served.app.openapi()["paths"]
    return [
        (operation.method, operation.path)
        for operation in operations(served.app)
        if status in paths.get(operation.path, {}).get(operation.method.lower(), {}).get("responses", {})
    ]


def at(path: str) -> str:
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    return path + NEEDED.get(path, "")


def problem(answer: Any, status: int, code: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status, answer.json()["code"]) == (status, code), answer.data


def test_429_if_a_tenants_turns_are_taken(filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[TenantConcurrency] = []

    def kept(limit: int) -> TenantConcurrency:
        made.append(TenantConcurrency(limit))
        return made[-1]

    monkeypatch.setattr(services, "TenantConcurrency", kept)
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with Served(tmp_path, **settings, query_concurrency=1, streams_per_tenant=1) as served:
        token = served.viewer_token("acme")
        reads = [
            *("/v1/events", "/v1/events/{event_id}", "/v1/events/stream"),
            *("/v1/facets", "/v1/histogram", "/v1/stats", "/v1/stats/groups"),
        ]
        assert {("GET", path) for path in reads} <= set(declaring(served, "429"))
        headers = {"authorization": f"Bearer {token}"}
        stream = served._pool.request("GET", f"{served.url}/v1/events/stream", headers=headers, preload_content=False)
        assert stream.status == 200
        with made[0].slot("acme"):
            for path in reads:
                answer = served.request(at(path), token)
                problem(answer, 429, "RATE_LIMITED")
                assert int(answer.headers["retry-after"]) >= 1
            other = served.viewer_token("globex")
            assert served.request("/v1/events", other).status == 200
        assert served.request("/v1/events", token).status == 200
        stream.close()


def test_408_if_a_body_does_not_arrive(tmp_path: Path) -> None:
    with Served(tmp_path, **NOWHERE, serve_body_timeout_s=0.2) as served:
        token = served.client_token("admin")
        where, slow = urlsplit(served.url), declaring(served, "408")
        assert {("POST", "/v1/token"), ("POST", "/v1/events"), ("PUT", "/v1/structure")} <= set(slow)
        for method, path in slow:
            with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as line:
                head = f"{method} {at(path)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                head += "Content-Type: application/json\r\nContent-Length: 100\r\nAuditlane-Tenant: acme\r\n\r\n{"
                line.sendall(head.encode())
                told = b"".join(iter(lambda line=line: line.recv(65_536), b""))  # type: ignore[misc]
            first, _, rest = told.partition(b"\r\n")
            assert b" 408 " in first, f"{method} {path}: {told!r}"
            assert json.loads(rest.partition(b"\r\n\r\n")[2])["code"] == "BODY_TIMEOUT"


def test_502_if_the_store_refuses(clickhouse: str, tmp_path: Path) -> None:
    settings = {"clickhouse_url": clickhouse, "clickhouse_database": "nowhere"}
    with Served(tmp_path, **settings) as served:
        token, refused = served.client_token("admin"), declaring(served, "502")
        assert {"/v1/events", "/v1/exports", "/v1/structure", "/v1/stats"} <= {path for _, path in refused}
        for method, path in refused:
            if path.endswith(("/download", "/enter", "/structure/fields")):
                continue  # two of them require a link; the others query the registry first
            sent: dict[str, Any] | None = {"POST": {"format": "csv"}, "PUT": {}}.get(method)
            if (method, path) == ("POST", "/v1/structure/actions"):
                sent = {"actions": [{"name": "x", "label": {"en": "X", "de": "X"}}]}
            if path.startswith("/v1/views") and sent is not None:
                sent = {"name": "x"}
            answer = served.request(at(path), token, method=method, body=sent, auditlane_tenant="acme", if_match="*")
            problem(answer, 502, "STORE_REFUSED")


def test_502_if_the_registry_refuses(filled: Store, registry: str, tmp_path: Path) -> None:
    settings = {"clickhouse_url": filled.settings.clickhouse_url, "clickhouse_database": filled.database}
    with Served(tmp_path, **settings, registry_url=registry, topic=f"{filled.database}.none") as served:
        token = served.client_token("admin")
        asking = [(method, path) for method, path in declaring(served, "502") if path.endswith("/structure/fields")]
        assert len(asking) == 4
        for method, path in asking:
            body = {"name": "x"} if method == "POST" else None
            answer = served.request(at(path), token, method=method, body=body)
            problem(answer, 502, "SCHEMA_NOT_FOUND")
