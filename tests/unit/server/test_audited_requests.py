"""Tests what auditlane's own audit trail records about requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from serving import HOUR, Served

from auditlane.access.audit import AuditRecord, RequestAuditor
from auditlane.access.permissions import Permission


class RecordingSink:
    """A sink that keeps its records."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Yield the service, and the records it makes. The store is unavailable, but the successful requests here do not
    need it.
    """
    kept = RecordingSink()
    monkeypatch.setattr(
        "auditlane.server.middleware.request.RequestAuditor", lambda _, **given: RequestAuditor(kept, **given)
    )
    with Served(tmp_path) as served:
        yield served, kept.records


def test_refused_requests_are_recorded(kept):
    served, records = kept
    served.request("/v1/events")
    served.request("/v1/events", served.viewer_token("acme", age=HOUR))
    served.request("/v1/export?format=csv", served.viewer_token("acme", Permission.read), x_request_id="r-1")
    served.request("/v1/events", served.client_token("vendor", tenant="acme"), auditlane_tenant="other")
    writer = served.client("writer")
    served.request("/v1/events", served.client_token("writer"), auditlane_tenant="globex")
    assert [(one.action, one.outcome, one.tenant, one.actor_type) for one in records] == [
        ("access.denied", "denied", None, "anonymous"),
        ("access.denied", "denied", None, "anonymous"),
        ("access.denied", "denied", "acme", "user"),
        ("access.denied", "denied", "acme", "api_key"),
        ("access.denied", "denied", "globex", "api_key"),
    ]
    assert [one.metadata["code"] for one in records] == [
        "UNAUTHENTICATED",
        "TOKEN_EXPIRED",
        "FORBIDDEN",
        "TENANT_FORBIDDEN",
        "FORBIDDEN",
    ]
    assert records[2].actor_id == "jane"
    assert records[2].request_id == "r-1"
    assert records[2].ip == "127.0.0.1"
    assert records[2].metadata["route"] == "/v1/export"
    assert writer.secret not in str(records)


def test_tokens_and_links_are_recorded(kept):
    served, records = kept
    issued = served.keys.create(name="backend", roles=("vendor", "admin"), now=datetime.now(UTC))
    key = {"client_id": issued.client.client_id, "secret": issued.secret}
    token = served.request("/v1/token", method="POST", body=key).json()["access_token"]
    served.request("/v1/token", method="POST", body=key | {"secret": "wrong-secret"})
    served.request("/v1/token", method="POST", body={"client_id": "my-password", "secret": "x"})
    body = {"tenant": "acme", "user": "jane", "ttl_s": 60}
    served.request("/v1/viewer-tokens", token, method="POST", body=body)
    link = served.request("/v1/viewer-tokens", token, method="POST", body=body | {"link": True}).json()["link"]
    for _ in range(2):  # the link only works once
        served.request(link.removeprefix(served.url), method="POST")
    assert [(one.action, one.outcome, one.tenant, one.actor_id) for one in records] == [
        ("token.issued", "success", None, issued.client.client_id),
        ("token.refused", "denied", None, ""),
        ("token.refused", "denied", None, ""),
        ("viewer_token.issued", "success", "acme", issued.client.client_id),
        ("link.issued", "success", "acme", issued.client.client_id),
        ("link.opened", "success", "acme", "jane"),
        ("access.denied", "denied", None, ""),
    ]
    assert [one.actor_name for one in records] == ["backend", None, None, "backend", "backend", None, None]
    assert records[1].metadata["client"] == issued.client.client_id
    assert records[3].metadata["user"] == "jane"
    assert records[5].metadata["client"] == issued.client.client_id
    for secret in (issued.secret, "wrong-secret", "my-password", link.partition("code=")[2]):
        assert secret not in str(records)


def test_an_unavailable_store_is_not_recorded(kept):
    served, records = kept
    assert served.request("/v1/events", served.viewer_token("acme")).status == 503
    assert served.request("/v1/nothing").status == 404
    assert not records
