"""Tests disabled audit logs. No route shows them, but they can still be configured, and operators' actions can still be
read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from serving import Served

from auditlane.access.permissions import Permission
from auditlane.runtime.errors import StoreUnavailable
from auditlane.store.presentation import DEFAULT_FIELDS
from auditlane.store.structure_cache import Structure, StructureCache

OFF = Structure(False, ())
ON = Structure(True, DEFAULT_FIELDS)


@pytest.fixture
def served(tmp_path, monkeypatch) -> Iterator[Served]:
    """Serve without a store, with globex's log disabled. Requests that get as far as the store return 503."""
    monkeypatch.setattr(StructureCache, "of", lambda _, tenant: OFF if tenant == "globex" else ON)
    with Served(tmp_path) as served:
        yield served


VIEWS = ["/v1/events", "/v1/events/01890a5d-ac96-774b-bcce-b302099a8057", "/v1/export?format=csv", "/audits", "/plain"]


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_is_closed(served, path):
    for tenant, status in (("acme", 503), ("globex", 403)):
        answer = served.request(path, served.viewer_token(tenant), frontegg_tenant_id=tenant)
        assert answer.status == status, answer.data
        text = answer.data.decode()
        assert ("AUDIT_LOGS_DISABLED" in text or "switched off" in text) == (status == 403)  # the page shows no code


def test_the_page_reports_disabled_logs(served):
    page = served.request("/plain", served.viewer_token("globex"), accept="text/html").data.decode()
    assert "Audit logs are switched off" in page
    assert "still recorded" in page


def test_an_environments_client_gets_it_too_except_for_the_services_log(served):
    admin = served.client_token("admin")
    assert served.request("/v1/events", admin, auditlane_tenant="globex").json()["code"] == "AUDIT_LOGS_DISABLED"
    assert served.request("/v1/events", admin, auditlane_tenant="_auditlane").status == 503


def test_a_missing_permission_is_reported_first(served):
    token = served.viewer_token("globex", Permission.configure)
    assert served.request("/v1/events", token).json()["code"] == "FORBIDDEN"
    assert served.request("/v1/events").status == 401


def test_an_unresponsive_store_delays_no_request(tmp_path, monkeypatch):
    release = threading.Event()

    def hang(_: StructureCache, tenant: str) -> Structure:
        release.wait(30)
        return ON

    monkeypatch.setattr(StructureCache, "of", hang)
    with Served(tmp_path, query_timeout_s=0.2) as served:
        answer = served.request("/v1/events", served.viewer_token("acme"))
        assert (answer.status, answer.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert "in time" in answer.json()["detail"]
        release.set()


def test_an_unavailable_store_is_reported(tmp_path, monkeypatch):
    def away(_: StructureCache, tenant: str) -> Structure:
        raise StoreUnavailable("It is away.")

    monkeypatch.setattr(StructureCache, "of", away)
    with Served(tmp_path) as served:
        assert served.request("/v1/events", served.viewer_token("acme")).json()["detail"] == "It is away."
