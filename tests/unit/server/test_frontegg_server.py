"""Tests the token routes that Frontegg's clients use, and paths with extra slashes, without a store or Kafka."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from serving import Served

from auditlane.server.frontegg import LONGEST_S
from auditlane.server.middleware.frontegg_paths import plain

FORMS = ["/auth/vendor", "/auth/vendor/", "//auth//vendor", "/vendors/auth/token", "/vendors/auth/token//"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.mark.parametrize("path", FORMS)
def test_a_key_is_exchanged_for_a_token(served, path):
    issued = served.client("vendor")
    body = {"clientId": issued.client.client_id, "secret": issued.secret, "unknown": True}
    response = served.request(path, method="POST", body=body, timeout="3")
    assert response.status == 200, response.data
    answer = response.json()
    assert answer["expiresIn"] == 86_400
    assert set(answer) == {"token", "expiresIn"}
    # The store is unavailable, so a 503 response means that the token was valid.
    used = served.request("/v1/events", auditlane_tenant="acme", x_access_token=answer["token"])
    assert used.status == 503, used.data


def test_a_charset_in_the_content_type_does_not_matter(served):
    issued = served.client("vendor")
    text = f'{{"clientId":"{issued.client.client_id}","secret":"{issued.secret}"}}'
    sent = {"content-type": "application/json;charset=utf-8"}
    assert urllib3.PoolManager().request("POST", f"{served.url}/auth/vendor", body=text, headers=sent).status == 200


@pytest.mark.parametrize("path", FORMS)
def test_a_wrong_key_is_rejected(served, path):
    issued = served.client("vendor")
    body = {"clientId": issued.client.client_id, "secret": "wrong"}
    assert served.request(path, method="POST", body=body).status == 401
    assert served.request(path, method="POST", body={"clientId": issued.client.client_id}).status == 400
    assert served.request(path).status == 405


def test_an_error_also_has_the_members_of_their_sdk(served):
    """Frontegg's browser SDK reads `errors`, which is a list of strings, and `errorCode`. auditlane's own members are
    also present.
    """
    for path in (*FORMS, "/audits", "//audits//stats"):
        body = served.request(path, method="PUT", body={}).json()
        assert body["errorCode"] == body["code"]
        assert body["errors"] == [f"{body['detail']} {body['fix']}"]
    body = served.request("/auth/vendor", method="POST", body={"clientId": 7}).json()
    assert body["errors"] == ["clientId: must be text", "secret: is missing"]
    assert body["errorCode"] == "INPUT_INVALID"
    ours = served.request("/v1/token", method="POST", body={"client_id": 7}).json()
    assert ours["errors"][0] == {"field": "client_id", "message": "must be text"}
    assert "errorCode" not in ours


def test_tenant_errors_name_fronteggs_header(served):
    vendor, bound = served.client_token("vendor"), served.client_token("vendor", tenant="acme")
    for path in ("/audits", "/audits/stats"):
        error = served.request(path, vendor).json()
        assert (error["field"], "header frontegg-tenant-id" in error["fix"]) == ("frontegg-tenant-id", True)
    for path in ("/audits", "/metadata", "/metadata/ip/10.0.0.1"):
        error = served.request(path, bound, frontegg_tenant_id="other").json()
        assert (error["errorCode"], error["field"]) == ("TENANT_FORBIDDEN", "frontegg-tenant-id")


def test_a_tokens_lifetime_is_positive_and_fits_a_timer(tmp_path):
    with Served(tmp_path, token_ttl_s=2_592_000) as served:
        long = served.client("vendor")
        soon = served.keys.create(
            roles=("vendor",), now=datetime.now(UTC), expires=datetime.now(UTC) + timedelta(seconds=600)
        )
        for issued, most in ((long, LONGEST_S), (soon, 600)):
            body = {"clientId": issued.client.client_id, "secret": issued.secret}
            answer = served.request("/auth/vendor", method="POST", body=body).json()
            assert 0 < answer["expiresIn"] <= most


def test_a_busy_process_still_issues_tokens(tmp_path):
    """Frontegg's Node client terminates its process if it cannot renew its token."""
    with Served(tmp_path, serve_max_concurrency=1, serve_body_timeout_s=60) as served:
        issued, entered, go_on = served.client("vendor"), threading.Event(), threading.Event()

        def hold() -> None:
            entered.set()
            go_on.wait(30)

        served.app.add_api_route("/v1/hold", hold)
        thread = threading.Thread(target=served.request, args=("/v1/hold",))
        thread.start()
        assert entered.wait(30)
        assert served.request("/v1/events").json()["code"] == "BUSY"
        for path in FORMS:
            body = {"clientId": issued.client.client_id, "secret": issued.secret}
            assert served.request(path, method="POST", body=body).status == 200
        go_on.set()
        thread.join(30)


def test_other_addresses_keep_their_slashes(served):
    for path in ("/v1/events/", "//v1/events", "/v1//events", "/auth/", "/vendors/auth", "/auditsx/", "//health/live"):
        assert served.request(path).status == 404


@given(st.lists(st.text(st.characters(exclude_characters="/"), min_size=1, max_size=4), min_size=1), st.data())
def test_a_plain_path_has_single_slashes_and_the_same_parts(parts, data):
    path = "".join("/" * data.draw(st.integers(1, 3)) + part for part in parts) + "/" * data.draw(st.integers(0, 2))
    assert plain(path) == "/" + "/".join(parts)
