"""Tests the HTTP service without its store: credentials, links, errors, headers, health and OpenAPI."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
import structlog
import urllib3
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from serving import HOUR, Served

from auditlane.access.permissions import Permission
from auditlane.access.short_links import ShortLinks
from auditlane.runtime.errors import ConfigError, IssuerUnavailable, PortInUse, StoreRefused, StoreUnavailable
from auditlane.runtime.settings import load
from auditlane.server.app import create_app
from auditlane.server.problems import of_error
from auditlane.server.run import listen

HTML = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    # As `log.configure` sets it. structlog's default renders tracebacks with all local variables, which takes seconds.
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    with Served(tmp_path_factory.mktemp("served")) as served:
        add_crash(served.app)
        yield served
    structlog.reset_defaults()


def add_crash(app: FastAPI) -> None:
    async def crash() -> None:
        raise ZeroDivisionError("the password is hunter2")

    app.add_api_route("/v1/crash", crash)


def problem(response, status: int, code: str) -> dict:
    """Assert that the response is a well-formed problem, and return its body."""
    assert response.status == status, response.data
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:auditlane:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    assert ("www-authenticate" in response.headers) == (status == 401)
    return body


# Tokens


def test_a_client_gets_a_token_by_json_and_by_basic_authentication(served):
    issued = served.client("vendor")
    body = {"client_id": issued.client.client_id, "secret": issued.secret}
    basic = base64.b64encode(f"{issued.client.client_id}:{issued.secret}".encode()).decode()
    for response in (
        served.request("/v1/token", method="POST", body=body),
        served.request("/v1/token", method="POST", authorization=f"Basic {basic}"),
    ):
        assert response.status == 200, response.data
        answer = response.json()
        assert answer["token_type"] == "Bearer"
        assert answer["expires_in"] == 86_400
        minted = served.request(
            "/v1/viewer-tokens", answer["access_token"], method="POST", body={"tenant": "acme", "user": "jane"}
        )
        assert minted.status == 200, minted.data


def test_a_wrong_key_gets_no_token(served):
    issued = served.client("vendor")
    for secret in ("", "wrong", issued.secret[:-1]):
        body = {"client_id": issued.client.client_id, "secret": secret}
        problem(served.request("/v1/token", method="POST", body=body), 401, "UNAUTHENTICATED")
    for authorization in ("", "Basic", "Basic !!", "Basic " + base64.b64encode(b"nocolon").decode(), "Bearer x"):
        response = served.request("/v1/token", method="POST", authorization=authorization)
        assert "JSON" in problem(response, 401, "UNAUTHENTICATED")["fix"]


def test_every_wrong_field_is_named(served):
    response = served.request("/v1/token", method="POST", body={"client_id": 1, "sercet": "x"})
    body = problem(response, 400, "INPUT_INVALID")
    assert {one["field"] for one in body["errors"]} == {"client_id", "secret", "sercet"}
    assert body["field"] == "client_id"


@pytest.mark.parametrize("body", [{"\ud800": 1}, {"client_id": "\ud800", "secret": "s"}, ["\ud800"]])
def test_half_a_surrogate_pair_in_a_body_is_a_problem(served, body):
    problem(served.request("/v1/token", method="POST", body=body), 400, "INPUT_INVALID")


def test_a_body_that_is_not_json_is_reported_as_the_body(served):
    pool = urllib3.PoolManager()
    sent = {"content-type": "application/json"}
    body = problem(pool.request("POST", f"{served.url}/v1/token", body="{bad", headers=sent), 400, "INPUT_INVALID")
    assert body["field"] == "body"
    assert [one["field"] for one in body["errors"]] == ["body"]
    assert "is not JSON" in body["detail"]


def test_an_unknown_query_parameter_is_named(served):
    response = served.request("/v1/token?tenant=acme", method="POST", body={"client_id": "a", "secret": "b"})
    assert problem(response, 400, "FILTER_INVALID")["field"] == "tenant"


def test_the_vendor_mints_viewer_tokens(served):
    body = {"tenant": "acme", "user": "jane", "permissions": ["audits:read", "export"], "ttl_s": 120, "link": True}
    response = served.request("/v1/viewer-tokens", served.client_token("vendor"), method="POST", body=body)
    answer = response.json()
    assert answer["expires_in"] == 120
    assert answer["permissions"] == ["audits:export", "audits:read"]
    assert answer["link"].startswith(served.url + "/enter?code=")
    # The store is unavailable, so a 503 response means that the token was valid.
    problem(served.request("/v1/events", answer["access_token"]), 503, "STORE_UNAVAILABLE")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"tenant": "a b"}, 400, "INPUT_INVALID"),
        ({"tenant": "_auditlane"}, 400, "INPUT_INVALID"),
        ({"permissions": []}, 400, "INPUT_INVALID"),
        ({"permissions": ["audits:admin"]}, 400, "INPUT_INVALID"),
        ({"permissions": ["audits:configure"]}, 403, "FORBIDDEN"),
        ({"ttl_s": 10}, 400, "INPUT_INVALID"),
        ({"ttl_s": 10**9}, 400, "INPUT_INVALID"),
        ({"user": ""}, 400, "INPUT_INVALID"),
    ],
)
def test_a_viewer_token_cannot_have_these_values(served, change, status, code):
    token = served.client_token("auditor")
    body = {"tenant": "acme", "user": "jane"} | change
    problem(served.request("/v1/viewer-tokens", token, method="POST", body=body), status, code)


def test_credentials_that_cannot_mint_viewer_tokens(served):
    body = {"tenant": "acme", "user": "jane"}

    def ask(token: str, **headers: str):
        return served.request("/v1/viewer-tokens", token, method="POST", body=body, **headers)

    problem(ask(""), 401, "UNAUTHENTICATED")
    problem(ask(served.client_token("writer")), 403, "FORBIDDEN")
    problem(ask(served.client_token("vendor", tenant="other")), 403, "FORBIDDEN")
    problem(ask(served.viewer_token("acme")), 403, "FORBIDDEN")
    problem(ask(served.client_token("vendor"), auditlane_tenant="other"), 400, "INPUT_INVALID")
    cookie = served.session("acme")
    problem(ask("", cookie=cookie), 403, "FORBIDDEN")
    assert served.request("/v1/viewer-tokens", method="POST", body={}).status == 401  # before the body is read


# A request's tenant


def test_invalid_credentials_are_rejected(served):
    for authorization in ("Bearer", "Bearer ", "Basic abc", "Bearer a.b.c", "xyz", "Bearer " + "x" * 9_000):
        problem(served.request("/v1/events", authorization=authorization), 401, "UNAUTHENTICATED")
    problem(served.request("/v1/events"), 401, "UNAUTHENTICATED")
    problem(served.request("/v1/events", served.viewer_token("acme", age=HOUR)), 401, "TOKEN_EXPIRED")
    # Only the first credential counts, so a valid cookie does not replace an invalid header.
    cookie = served.session("acme")
    problem(served.request("/v1/events", "wrong", cookie=cookie), 401, "UNAUTHENTICATED")


def test_a_token_is_accepted_in_every_documented_place(served):
    token = served.viewer_token("acme")
    for headers in (
        {"authorization": f"Bearer {token}"},
        {"authorization": f"bearer   {token} "},
        {"x_access_token": token},
        {"cookie": f"a=b; {served.session('acme')}"},
    ):
        problem(served.request("/v1/events", **headers), 503, "STORE_UNAVAILABLE")
    for path in (f"/v1/events?token={token}", f"/v1/events?access_token={token}"):
        problem(served.request(path), 401, "UNAUTHENTICATED")


def test_another_tenants_name_is_refused(served):
    for token in (served.viewer_token("acme"), served.client_token("vendor", tenant="acme")):
        problem(served.request("/v1/events", token, auditlane_tenant="acme"), 503, "STORE_UNAVAILABLE")
        body = problem(served.request("/v1/events", token, auditlane_tenant="other"), 403, "TENANT_FORBIDDEN")
        assert body["field"] == "Auditlane-Tenant"


def test_an_environments_client_names_its_tenant_in_the_header_only(served):
    token = served.client_token("vendor")
    problem(served.request("/v1/events", token, auditlane_tenant="acme"), 503, "STORE_UNAVAILABLE")
    for path in ("/v1/events", "/v1/events?tenant=acme", "/v1/events?Auditlane-Tenant=acme"):
        assert problem(served.request(path, token), 400, "INPUT_INVALID")["field"] == "Auditlane-Tenant"
    for wrong in ("", "a b", "acme,other", "../acme", "x" * 101):
        body = problem(served.request("/v1/events", token, auditlane_tenant=wrong), 400, "INPUT_INVALID")
        assert body["field"] == "Auditlane-Tenant"


def test_each_route_requires_its_permission(served):
    reads = served.viewer_token("acme", Permission.read)
    exports = served.viewer_token("acme", Permission.export)
    problem(served.request("/v1/events", reads), 503, "STORE_UNAVAILABLE")
    problem(served.request("/v1/export?format=csv", exports), 503, "STORE_UNAVAILABLE")
    problem(served.request("/v1/events", exports), 403, "FORBIDDEN")
    problem(served.request("/v1/export?format=csv", reads), 403, "FORBIDDEN")
    problem(served.request("/v1/events", served.client_token("writer"), auditlane_tenant="acme"), 403, "FORBIDDEN")


def test_the_services_own_log_is_for_admins(served):
    ours = {"auditlane_tenant": "_auditlane"}
    problem(served.request("/v1/events", served.client_token("vendor"), **ours), 403, "FORBIDDEN")
    problem(served.request("/v1/events", served.client_token("admin"), **ours), 503, "STORE_UNAVAILABLE")


def test_a_revoked_key_is_rejected_at_the_next_request(served):
    issued = served.client("vendor")
    body = {"client_id": issued.client.client_id, "secret": issued.secret}
    token = served.request("/v1/token", method="POST", body=body).json()["access_token"]
    problem(served.request("/v1/events", token, auditlane_tenant="acme"), 503, "STORE_UNAVAILABLE")
    served.keys.revoke(issued.client.client_id, now=issued.client.created)
    problem(served.request("/v1/events", token, auditlane_tenant="acme"), 401, "UNAUTHENTICATED")
    problem(served.request("/v1/token", method="POST", body=body), 401, "UNAUTHENTICATED")


# Links and pages


def link(served, **more) -> str:
    body = {"tenant": "acme", "user": "jane", "link": True} | more
    answer = served.request("/v1/viewer-tokens", served.client_token("vendor"), method="POST", body=body).json()
    return answer["link"].removeprefix(served.url)


def test_a_link_becomes_a_session_once(served):
    path = link(served, ttl_s=600)
    response = served.request(path, method="POST", **HTML)
    assert response.status == 303
    assert response.headers["location"] == "/"
    assert response.headers["referrer-policy"] == "no-referrer"
    cookie = SimpleCookie(response.headers["set-cookie"])["auditlane_viewer"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert cookie["path"] == "/"
    assert cookie["max-age"] == "600"
    assert not cookie["secure"]
    session = f"auditlane_viewer={cookie.value}"
    problem(served.request("/v1/events", cookie=session), 503, "STORE_UNAVAILABLE")
    again = served.request(path, method="POST", **HTML)
    assert again.status == 401
    assert "no longer works" in again.data.decode()
    assert "set-cookie" not in again.headers
    left = served.request("/leave", cookie=session, method="POST")
    assert SimpleCookie(left.headers["set-cookie"])["auditlane_viewer"]["max-age"] == "0"


def test_a_short_link_works_once_like_the_link_for_which_it_stands(tmp_path):
    links = ShortLinks(tmp_path / "links")
    with Served(tmp_path, links_dir=tmp_path / "links") as served:
        short = links.shorten(served.url + link(served)).removeprefix(served.url)
        assert len(short) < 40
        assert served.request(short, **HTML).status == 200
        assert served.request(short, method="POST", **HTML).status == 303
        assert served.request(short, method="POST", **HTML).status == 401
        assert served.request(f"/enter?code={'A' * 22}", **HTML).status == 401


def test_requesting_a_link_does_not_use_it_up(served):
    """Mail scanners and chat previews send GET requests. The page works without scripts, in both languages."""
    path = link(served)
    for headers in ({}, HTML, HTML | {"accept_language": "de"}):
        looked = served.request(path, **headers)
        assert looked.status == 200
        assert "set-cookie" not in looked.headers
        assert "<script" not in looked.data.decode()
    html = looked.data.decode()
    assert "Audit-Log öffnen" in html
    form = re.search(r'<form method="post" action="([^"]+)"><input type="hidden" name="code" value="([^"]+)">', html)
    assert form
    sent = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"code": form[2]})
    pool = urllib3.PoolManager(retries=False)
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 303), ("same-origin", 401)):
        opened = pool.request(
            "POST", served.url + form[1], body=body, headers=sent | {"sec-fetch-site": site}, redirect=False
        )
        assert opened.status == status, opened.data
    assert served.request("/enter", method="POST").status == 401


def test_neither_a_link_nor_another_site_signs_the_user_out(served):
    cookie = served.session("acme")
    problem(served.request("/leave", cookie=cookie), 405, "METHOD_NOT_ALLOWED")
    for site in ("cross-site", "same-site"):
        answer = served.request("/leave", method="POST", cookie=cookie, sec_fetch_site=site)
        assert (answer.status, "set-cookie" in answer.headers) == (403, False)
    assert served.request("/leave", method="POST", cookie=cookie, sec_fetch_site="same-origin").status == 200


def test_only_a_session_is_accepted_as_a_cookie(served):
    for token in (
        served.client_token("vendor", tenant="acme"),
        served.client_token("admin"),
        served.viewer_token("acme"),
    ):
        problem(served.request("/v1/session", cookie=f"auditlane_viewer={token}"), 401, "UNAUTHENTICATED")
        problem(served.request("/console/v1/session", cookie=f"auditlane_console={token}"), 401, "UNAUTHENTICATED")


def test_a_link_for_an_unknown_host_is_rejected(served):
    admin = served.client_token("admin")
    minted = {"tenant": "acme", "user": "jane"}
    for headers in ({"host": "evil.example"}, {"host": "evil.example", "x_forwarded_host": "evil.example"}):
        for path, token, body in (
            ("/v1/viewer-tokens", admin, minted | {"link": True}),
            ("/v1/admin/console-links", admin, {"user": "ops"}),
        ):
            refused = problem(served.request(path, token, method="POST", body=body, **headers), 400, "INPUT_INVALID")
            assert refused["field"] == "Host"
            assert "AUDITLANE_SERVE_URL" in refused["fix"]
        # A token alone does not open any page.
        assert served.request("/v1/viewer-tokens", admin, method="POST", body=minted, **headers).status == 200
    forwarded = served.request(
        "/v1/viewer-tokens", admin, method="POST", body=minted | {"link": True}, x_forwarded_host="evil.example"
    )
    assert forwarded.json()["link"].startswith(served.url)


def test_over_https_the_cookie_is_secure(tmp_path):
    with Served(tmp_path, serve_url="https://audit.example") as served:
        body = {"tenant": "acme", "user": "jane", "link": True}
        answer = served.request("/v1/viewer-tokens", served.client_token("vendor"), method="POST", body=body).json()
        assert answer["link"].startswith("https://audit.example/enter?code=")
        response = served.request(answer["link"].removeprefix("https://audit.example"), method="POST")
        cookie = SimpleCookie(response.headers["set-cookie"])["__Host-auditlane_viewer"]
        assert cookie["secure"]
        assert (cookie["path"], cookie["domain"]) == ("/", "")
        problem(
            served.request("/v1/events", cookie=f"__Host-auditlane_viewer={cookie.value}"), 503, "STORE_UNAVAILABLE"
        )
        # A cookie without the prefix may have been set by another subdomain or on the network.
        problem(served.request("/v1/events", cookie=f"auditlane_viewer={cookie.value}"), 401, "UNAUTHENTICATED")


def test_a_link_into_a_frame_sets_a_cross_site_cookie(tmp_path):
    """Browsers must send the link's cookie when the frame is on another site."""
    body = {"tenant": "acme", "user": "jane", "link": True, "page": "embed"}
    with Served(tmp_path, serve_url="https://audit.example") as served:
        token = served.client_token("vendor")
        if served.request("/embed").status == 404:
            refused = served.request("/v1/viewer-tokens", token, method="POST", body=body)
            assert problem(refused, 400, "INPUT_INVALID")["field"] == "page"
            served.app.add_api_route("/embed", lambda: "", include_in_schema=False)
        made = served.request("/v1/viewer-tokens", token, method="POST", body=body).json()["link"]
        path = made.removeprefix("https://audit.example")
        assert re.search('<script src="/static/enter-[0-9a-f]+.js" defer>', served.request(path).data.decode())
        opened = served.request(path, method="POST")
        assert opened.headers["location"] == "/embed"
        cookie = opened.headers["set-cookie"].lower()
        for attribute in ("samesite=none", "secure", "partitioned", "httponly"):
            assert attribute in cookie


def test_no_other_token_opens_the_pages(served):
    codes = ("", "abc", served.viewer_token("acme"), served.client_token("vendor"), "x" * 5_000)
    for code, method in itertools.product(codes, ("GET", "POST")):
        response = served.request(f"/enter?code={code}", method=method, **HTML)
        assert response.status in (400, 401)
        assert response.headers["content-type"].startswith("text/html")
        assert "www-authenticate" not in response.headers
        assert "set-cookie" not in response.headers


def test_a_link_code_is_not_a_token(served):
    code = link(served).partition("code=")[2]
    problem(served.request("/v1/events", code), 401, "UNAUTHENTICATED")
    problem(served.request("/v1/events", cookie=f"auditlane_viewer={code}"), 401, "UNAUTHENTICATED")


def test_a_browser_gets_pages_and_a_program_gets_json(served):
    expired = served.session("acme", age=HOUR)
    for headers in ({}, {"cookie": expired}):
        response = served.request("/", **HTML, **headers)
        assert response.status == 401
        assert response.headers["content-type"].startswith("text/html")
    assert "link" in response.data.decode()
    assert served.request("/nothing", **HTML).headers["content-type"].startswith("text/html")
    problem(served.request("/nothing"), 404, "NOT_FOUND")
    problem(served.request("/v1/events", **HTML), 401, "UNAUTHENTICATED")
    # A user follows the download link after the session has expired.
    download = served.request("/v1/export?format=csv", cookie=expired, sec_fetch_mode="navigate", **HTML)
    assert "Your session has expired" in download.data.decode()


def test_values_in_an_error_page_are_escaped(served):
    page = served.request("/<script>alert(1)</script>", **HTML).data.decode()
    assert "<script" not in page


def test_a_page_of_another_site_cannot_use_the_session_for_changes(served):
    cookie = served.session("acme")
    body = {"tenant": "acme", "user": "jane"}
    for headers in ({}, {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}):
        response = served.request("/v1/viewer-tokens", method="POST", body=body, cookie=cookie, **headers)
        assert "own pages" in problem(response, 403, "FORBIDDEN")["detail"]


# All responses


def test_errors_of_http_are_problems(served):
    problem(served.request("/v1/nothing"), 404, "NOT_FOUND")
    problem(served.request("/v1/events/"), 404, "NOT_FOUND")  # no redirect, since a redirected POST becomes a GET
    body = problem(served.request("/v1/token"), 405, "METHOD_NOT_ALLOWED")
    assert "GET" in body["detail"]
    problem(served.request("/v1/token", method="POST", content_length="9999999"), 413, "TOO_LARGE")
    problem(served.request("/v1/token", method="POST", transfer_encoding="chunked"), 411, "LENGTH_REQUIRED")


def test_malformed_json_is_an_input_error(served):
    response = served._pool.request(
        "POST", served.url + "/v1/token", body=b'{"client_id', headers={"content-type": "application/json"}
    )
    problem(response, 400, "INPUT_INVALID")


def test_a_bug_returns_only_its_request_id(served):
    response = served.request("/v1/crash", x_request_id="find-me")
    body = problem(response, 500, "INTERNAL")
    assert "hunter2" not in response.data.decode()
    assert body["request_id"] == "find-me"
    assert "default-src 'none'" in response.headers["content-security-policy"]


def test_a_valid_request_id_is_kept_and_another_replaced(served):
    request_id = "abc-DEF_1.2:3"
    assert served.request("/health/live", x_request_id=request_id).headers["x-request-id"] == request_id
    for wrong in ("", "a b", "x" * 129, "<script>", 'a"b'):
        made = served.request("/health/live", x_request_id=wrong).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f-]{36}", made)


@pytest.mark.parametrize(
    "path", ["/", "/health/live", "/v1/events", "/v1/crash", "/nothing", "/openapi.json", "/metrics"]
)
def test_every_response_has_security_headers(served, path):
    headers = served.request(path, **HTML).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in served.request(path, origin="https://elsewhere.example").headers


def test_a_response_that_fails_midway_breaks_the_connection(served):
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise StoreUnavailable("ClickHouse went away.")

    served.app.add_api_route("/v1/breaks", lambda: StreamingResponse(pieces()), response_model=None)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        served.request("/v1/breaks")


def test_a_disconnect_ends_the_request_and_is_not_an_error(served):
    ended = threading.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65_536
                await asyncio.sleep(0)  # as real sources do; uvicorn discards unread data without waiting
        finally:
            ended.set()

    served.app.add_api_route("/v1/endless", lambda: StreamingResponse(pieces()), response_model=None)
    with structlog.testing.capture_logs() as logs:
        host, port = served.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /v1/endless HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        assert ended.wait(20)
        served.request("/health/live")
    assert "http.unforeseen" not in {one["event"] for one in logs}


# Health


def test_health_without_a_store(served):
    assert served.request("/health/live").json() == {"live": True}
    response = served.request("/health/ready")
    assert response.status == 503
    parts = {part["name"]: part for part in response.json()["parts"]}
    assert parts["clickhouse"]["state"] == "away"
    assert "AUDITLANE_CLICKHOUSE_URL" in parts["clickhouse"]["problem"]
    assert parts["keys"]["state"] == parts["signing-keys"]["state"] == "up"


def test_a_broken_keys_file_is_reported_while_the_last_good_one_serves(tmp_path):
    with Served(tmp_path) as served:
        token, admin = served.client_token("vendor"), served.client_token("admin")
        problem(served.request("/v1/events", token, auditlane_tenant="acme"), 503, "STORE_UNAVAILABLE")
        (tmp_path / "keys.json").write_text("{")
        problem(served.request("/v1/events", token, auditlane_tenant="acme"), 503, "STORE_UNAVAILABLE")
        parts = {part["name"]: part for part in served.request("/health/ready").json()["parts"]}
        assert parts["keys"] == {"name": "keys", "state": "stale", "problem": None}  # this route is public
        told = served.request("/v1/admin/health", admin).json()["parts"]
        assert "line 1" in next(part["problem"] for part in told if part["name"] == "keys")


def test_readiness_contains_no_host_and_no_path(tmp_path):
    unreachable = {"kafka_bootstrap": "127.0.0.1:1", "registry_url": "http://127.0.0.1:1"}
    with Served(tmp_path, **unreachable, clickhouse_url="http://user-of-ours.invalid:1") as served:
        (tmp_path / "signing-keys.json").write_text('{"keys": "secret"}')
        served.request("/v1/events", served.viewer_token("acme"))
        answer = served.request("/health/ready")
        states = {part["name"]: part["state"] for part in answer.json()["parts"]}
        assert states == {"kafka": "away", "clickhouse": "away", "keys": "up", "signing-keys": "stale"}
        for detail in ("127.0.0.1", "invalid", "secret", str(tmp_path), "json"):
            assert detail not in answer.data.decode()


WATCHED = ("/health/live", "/health/ready", "/metrics")


@pytest.mark.parametrize("path", WATCHED)
@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}])
def test_on_loopback_health_rejects_other_origins_and_hosts(served, path, headers):
    problem(served.request(path, **headers), 403, "FORBIDDEN")


@pytest.mark.parametrize("path", WATCHED)
def test_health_accepts_the_configured_hosts(tmp_path, path):
    settings = {"serve_url": "https://audit.example", "cors_origins": "https://app.example"}
    with Served(tmp_path, **settings) as served:
        assert served.request(path, host="audit.example").status != 403
        assert served.request(path, host="audit.example", origin="https://app.example").status != 403
        problem(served.request(path, host="other.example"), 403, "FORBIDDEN")


@pytest.mark.parametrize("path", WATCHED)
def test_on_another_address_health_accepts_any_host(tmp_path, path):
    with Served(tmp_path, serve_host="0.0.0.0") as served:
        assert served.request(path, host="serve-1.internal.example").status != 403


def test_internal_messages_stay_in_the_log():
    request = Request({"type": "http", "method": "GET", "path": "/v1/events", "headers": [], "query_string": b""})
    for error in (
        StoreRefused("Code: 60. audit.log at ch-7.internal (version 25.1)"),
        IssuerUnavailable("ch-7.internal"),
    ):
        assert "internal" not in bytes(of_error(request, error).body).decode()


def test_metrics_count_by_route_not_by_path(served):
    served.request("/v1/events/secret-id", served.viewer_token("acme"))
    text = served.request("/metrics").data.decode()
    assert 'auditlane_http_requests_total{method="GET",route="/v1/events/{event_id}"' in text
    assert "secret-id" not in text
    assert "auditlane_http_request_seconds_bucket" in text


# OpenAPI


def test_openapi_describes_errors_and_credentials(served):
    document = json.loads(served.request("/openapi.json").data)
    schemas = document["components"]["schemas"]
    assert schemas["Problem"]["examples"]
    assert "HTTPValidationError" not in schemas
    assert set(document["components"]["securitySchemes"]) == {"token", "access-token", "session", "client-key", "link"}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            assert "422" not in operation["responses"]
            if path.startswith("/v1/") and path != "/v1/crash":
                assert operation["security"]
                for status in ("400", "401", "500"):
                    assert "application/problem+json" in operation["responses"][status]["content"]
                named = [one["in"] for one in operation.get("parameters", []) if "tenant" in one["name"].lower()]
                assert "query" not in named
    for reference in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert reference in schemas


# Starting


def test_missing_settings_are_all_named(tmp_path):
    with pytest.raises(ConfigError) as caught:
        create_app(load())
    for name in (
        "AUDITLANE_KEYS_FILE",
        "AUDITLANE_SIGNING_KEYS_FILE",
        "AUDITLANE_CLICKHOUSE_URL",
        "AUDITLANE_REGISTRY_URL",
    ):
        assert name in str(caught.value)
    with pytest.raises(ConfigError, match="Unknown role 'cook'"):
        create_app(load(), ["cook"])


def test_a_port_in_use_is_reported(served):
    with pytest.raises(PortInUse, match="already in use") as caught:
        listen("127.0.0.1", int(served.url.rpartition(":")[2]))
    assert "--port" in caught.value.fix
    with pytest.raises(ConfigError, match="Cannot listen on 192\\.0\\.2\\.1"):
        listen("192.0.2.1", 0)


def test_minutes_of_a_session_follow_the_settings(tmp_path):
    with Served(tmp_path, viewer_token_ttl_s=300, token_ttl_s=600) as served:
        token = served.client_token("vendor")
        body = {"tenant": "acme", "user": "jane"}
        answer = served.request("/v1/viewer-tokens", token, method="POST", body=body).json()
        assert timedelta(seconds=answer["expires_in"]) == timedelta(minutes=5)
