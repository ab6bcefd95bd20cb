from __future__ import annotations

import pytest

from auditlane.integrations.web.exchange import Exchange, event_of
from auditlane.integrations.web.routes import AuditRoute, Routes, shape_of
from auditlane.runtime.errors import ConfigError


def find(routes, method, path, template=None):
    found = Routes(dict.fromkeys(routes, "a.b")).find(method, path, template)
    return None if found is None else (found.template, dict(found.parameters))


@pytest.mark.parametrize(
    ("route", "method", "path", "template", "parameters"),
    [
        ("DELETE /documents/{id}", "DELETE", "/documents/7", None, {"id": "7"}),
        ("DELETE /documents/{id}", "GET", "/documents/7", None, None),
        ("DELETE /documents/{id}", "DELETE", "/documents/7/", None, None),
        ("DELETE /documents/{id}", "DELETE", "/documents/7/pages", None, None),
        ("delete /documents/{id:int}", "DELETE", "/documents/7", "/documents/{id:int}", {"id": "7"}),
        ("DELETE /documents/<int:id>", "DELETE", "/documents/7", "/documents/<int:id>", {"id": "7"}),
        ("GET /<any(a, b):kind>/<id>", "GET", "/a/7", "/<any(a, b):kind>/<id>", {"kind": "a", "id": "7"}),
        ("GET /files/{name:path}", "GET", "/files/a/b", "/files/{name:path}", {"name": "a/b"}),
        ("* /admin/{rest:path}", "PATCH", "/admin/x/y", None, {"rest": "x/y"}),
        ("POST /a.b", "POST", "/a.b", None, {}),
        ("POST /a.b", "POST", "/axb", None, None),
        # The framework has chosen a different route for the same path.
        ("DELETE /documents/{id}", "DELETE", "/documents/archive", "/documents/archive", None),
        # Parameter names may differ, and the prefix of a router or mount may be missing.
        ("DELETE /documents/{id}", "DELETE", "/documents/7", "/{document_id}", {"id": "7"}),
        (
            "GET /t/{tenant}/documents/{id}",
            "GET",
            "/t/acme/documents/7",
            "/documents/{x}",
            {"tenant": "acme", "id": "7"},
        ),
        ("POST /documents", "POST", "/documents", "", {}),
        ("GET /documents/{id}", "GET", "/documents/a\nb", None, {"id": "a\nb"}),
    ],
)
def test_a_route_is_found_by_method_path_and_template(route, method, path, template, parameters):
    found = find([route], method, path, template)
    assert (None if found is None else found[1]) == parameters


def test_the_template_decides_between_routes_of_one_path_and_then_the_order():
    routes = ["GET /documents/{id}", "GET /documents/archive"]
    assert find(routes, "GET", "/documents/archive", "/documents/archive")[0] == "/documents/archive"
    assert find(routes, "GET", "/documents/archive")[0] == "/documents/{id}"


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("/documents", "does not begin with an HTTP method"),
        ("REMOVE /documents", "does not begin with an HTTP method"),
        ("DELETE documents", "no path"),
        ("DELETE", "no path"),
        ("GET /{a}/{a}", "two parameters named 'a'"),
    ],
)
def test_an_invalid_route_is_named(key, says):
    with pytest.raises(ConfigError, match=says) as caught:
        Routes({key: "a.b"})
    assert caught.value.field == "routes"
    assert caught.value.fix


def test_an_unknown_resource_id_is_named():
    with pytest.raises(ConfigError, match="no parameter 'id'") as caught:
        Routes({"GET /{a}/{b}": AuditRoute(action="a.b", resource_id="id")})
    assert caught.value.fix == "Use one of: a, b."


def test_shapes_ignore_names_and_types():
    assert shape_of("/a/{b}/{c:int}") == shape_of("/a/<x>/<string(length=2):y>") == "/a/{}/{}"


ROUTES = Routes(
    {
        "DELETE /projects/{project}/documents/{id}": "document.deleted",
        "POST /login": AuditRoute(action="login", resource="", severity="High"),
        "POST /t/{tenant}/x/{id}": AuditRoute(action="x.made", resource_id="tenant"),
    }
)


def test_an_event_has_the_last_parameter_as_its_resource_and_the_others_as_metadata():
    exchange = Exchange("DELETE", "/projects/moon/documents/7", status=204, complete=True)
    assert event_of(exchange, ROUTES, record_denied=False) == {
        "action": "document.deleted",
        "outcome": "success",
        "severity": "Info",
        "resource": "document",
        "resource_id": "7",
        "metadata": {
            "project": "moon",
            "method": "DELETE",
            "route": "/projects/{project}/documents/{id}",
            "status": "204",
        },
    }


def test_an_action_of_the_vocabulary_has_its_severity_and_resource():
    routes = Routes(
        {"POST /roles/{user}": "role.assigned", "PUT /roles/{user}": AuditRoute(action="role.assigned", severity="Low")}
    )
    values = event_of(Exchange("POST", "/roles/7", status=200, complete=True), routes, record_denied=False)
    assert (values["severity"], values["resource"]) == ("Medium", "user")
    assert event_of(Exchange("PUT", "/roles/7", status=200), routes, record_denied=False)["severity"] == "Low"


def test_a_route_may_override_the_defaults():
    login = event_of(Exchange("POST", "/login", status=302, complete=True), ROUTES, record_denied=False)
    assert (login["resource"], login["resource_id"], login["severity"]) == ("", None, "High")
    made = event_of(Exchange("POST", "/t/acme/x/7", status=200, complete=True), ROUTES, record_denied=False)
    assert (made["resource_id"], made["metadata"]["id"]) == ("acme", "7")


@pytest.mark.parametrize(
    ("facts", "outcome", "metadata"),
    [
        ({"status": 200, "complete": True}, "success", {"status": "200"}),
        ({"status": 303, "complete": True}, "success", {"status": "303"}),
        ({"status": 401, "complete": True}, "denied", {"status": "401"}),
        ({"status": 403, "complete": True}, "denied", {"status": "403"}),
        ({"status": 404, "complete": True}, "failure", {"status": "404"}),
        ({"status": 422, "complete": True}, "failure", {"status": "422"}),
        ({"status": 500, "complete": True}, "failure", {"status": "500"}),
        ({}, "failure", {"response": "none"}),
        ({"exception": "KeyError"}, "failure", {"response": "none", "exception": "KeyError"}),
        ({"status": 200}, "success", {"status": "200", "response": "incomplete"}),
        (
            {"status": 200, "exception": "OSError"},
            "failure",
            {"status": "200", "response": "incomplete", "exception": "OSError"},
        ),
        ({"status": 302, "complete": True, "denied": True}, "denied", {"status": "302"}),
    ],
)  # fmt: skip
def test_the_outcome_follows_from_the_response(facts, outcome, metadata):
    values = event_of(Exchange("POST", "/login", **facts), ROUTES, record_denied=False)
    assert values["outcome"] == outcome
    assert values["metadata"] == {"method": "POST", "route": "/login"} | metadata


@pytest.mark.parametrize("status", [401, 403])
def test_denied_requests_are_recorded_on_request_without_their_path(status):
    exchange = Exchange("GET", "/secret/7", template="/secret/{id}", status=status, complete=True)
    assert event_of(exchange, ROUTES, record_denied=False) is None
    values = event_of(exchange, ROUTES, record_denied=True)
    assert (values["action"], values["outcome"]) == ("access.denied", "denied")
    assert values["metadata"] == {"method": "GET", "route": "/secret/{id}", "status": str(status)}
    assert "/secret/7" not in str(values)


def test_other_requests_are_not_recorded():
    assert event_of(Exchange("GET", "/x", status=500, complete=True), ROUTES, record_denied=True) is None
    assert event_of(Exchange("POST", "/login", unrouted=True, status=404), ROUTES, record_denied=True) is None
