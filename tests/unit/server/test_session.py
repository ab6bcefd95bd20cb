"""Tests the session for every kind of credential, including while audit logs are disabled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from serving import Served

from auditlane.access.audit import AuditRecord, RequestAuditor
from auditlane.access.permissions import Permission
from auditlane.store.presentation import DEFAULT_FIELDS
from auditlane.store.structure_cache import Structure, StructureCache

ALL = ["audits:configure", "audits:contract", "audits:export", "audits:read"]


class RecordingSink:
    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


@pytest.fixture
def kept(monkeypatch) -> list[AuditRecord]:
    kept = RecordingSink()
    monkeypatch.setattr(
        "auditlane.server.middleware.request.RequestAuditor", lambda _, **given: RequestAuditor(kept, **given)
    )
    return kept.records


@pytest.fixture
def served(tmp_path, monkeypatch, kept) -> Iterator[Served]:
    """Serve with globex's audit log disabled."""
    monkeypatch.setattr(StructureCache, "of", lambda _, tenant: Structure(tenant != "globex", DEFAULT_FIELDS))
    with Served(tmp_path) as served:
        yield served


def test_a_viewers_session_is_described(served, kept):
    found = served.request("/v1/session", served.viewer_token("acme")).json()
    left = datetime.fromisoformat(found.pop("expires_at")) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert found == {
        "scope": "tenant", "tenant": "acme", "user": "jane", "permissions": ALL, "filter": None, "from_console": False,
        "audit_logs_enabled": True,
    }  # fmt: skip
    cookie = served.session("acme", Permission.read)
    assert served.request("/v1/session", cookie=cookie).json()["permissions"] == ["audits:read"]
    assert kept == []  # reading the session does not count as viewing the log


def test_disabled_logs_are_reported_and_not_rejected(served):
    answer = served.request("/v1/session", served.viewer_token("globex", Permission.read))
    assert (answer.status, answer.json()["audit_logs_enabled"]) == (200, False)


def test_a_client_of_the_environment_may_name_a_tenant(served):
    token = served.client_token("vendor")
    alone = served.request("/v1/session", token).json()
    assert (alone["scope"], alone["tenant"], alone["audit_logs_enabled"]) == ("environment", None, True)
    named = served.request("/v1/session", token, auditlane_tenant="globex").json()
    assert (named["scope"], named["tenant"], named["audit_logs_enabled"]) == ("environment", "globex", False)
    assert named["permissions"] == [*ALL, "audits:write"]
    assert served.request("/v1/session", token, auditlane_tenant="_auditlane").json()["code"] == "FORBIDDEN"
    assert served.request("/v1/session", token, auditlane_tenant="no tenant").json()["code"] == "INPUT_INVALID"


def test_another_tenants_session_is_rejected(served, kept):
    for token in (served.viewer_token("acme"), served.client_token("admin", tenant="acme")):
        answer = served.request("/v1/session", token, auditlane_tenant="globex")
        assert (answer.status, answer.json()["code"]) == (403, "TENANT_FORBIDDEN")
        assert kept.pop().action == "access.denied"
        assert served.request("/v1/session", token).json()["tenant"] == "acme"


def test_a_missing_or_expired_credential_is_rejected(served):
    assert served.request("/v1/session").json()["code"] == "UNAUTHENTICATED"
    ended = served.viewer_token("acme", age=timedelta(hours=2))
    assert served.request("/v1/session", ended).json()["code"] == "TOKEN_EXPIRED"
    assert served.request("/v1/session?x=1", served.viewer_token("acme")).status == 400
