"""Tests the WSGI middleware and the Flask extension with real applications."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from flask import Flask, Response, abort, copy_current_request_context, g, session, stream_with_context
from flask_login import LoginManager, UserMixin, login_required, login_user, logout_user
from recording import RecordingClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client, run_wsgi_app
from werkzeug.test import create_environ as environ_of
from werkzeug.wsgi import FileWrapper

from auditlane.integrations.flask import Actor, Audit
from auditlane.integrations.wsgi import AuditMiddleware
from auditlane.sdk.context import current

ROUTES = {"DELETE /documents/<int:document_id>": "document.deleted"}


@pytest.fixture
def client() -> RecordingClient:
    return RecordingClient()


def raise_(error):
    raise error


def plain(client, app, **options):
    return AuditMiddleware(app, routes=ROUTES, client=client, **({"tenant": lambda _: "acme"} | options))


def answer(status="204 NO CONTENT", body=()):
    def app(environ, start_response):
        start_response(status, [])
        return body

    return app


def documents(client, view=lambda: ("", 204), **options):
    app = Flask("documents")
    app.secret_key = "x"  # pragma: allowlist secret
    app.delete("/documents/<int:document_id>")(lambda document_id: view())
    Audit(app, routes=ROUTES, client=client, **({"tenant": lambda _: "acme"} | options))
    return app


@pytest.mark.parametrize("body", [(), [b"x"], iter([b"x"]), (part for part in [b"x"])])
def test_a_configured_route_becomes_an_event(client, body):
    headers = {"User-Agent": "curl/8", "X-Request-Id": "r-1", "X-Forwarded-For": "203.0.113.9"}
    environ = environ_of("/documents/7", method="DELETE", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    run_wsgi_app(plain(client, answer(body=body)), environ, buffered=True)
    event = client.only
    assert (event.tenant_id, event.action, event.outcome.value) == ("acme", "document.deleted", "success")
    assert (event.resource, event.resource_id) == ("document", "7")
    assert (event.ip, event.user_agent, event.request_id) == ("192.0.2.7", "curl/8", "r-1")
    assert event.metadata == {"method": "DELETE", "route": "/documents/<int:document_id>", "status": "204"}


@pytest.mark.parametrize(
    ("trusted", "ip"), [("", "192.0.2.7"), ("192.0.2.0/24,198.51.100.0/24", "203.0.113.9"), (2, "203.0.113.9")]
)
def test_the_address_is_the_peers_unless_proxies_are_trusted(client, trusted, ip):
    environ = environ_of(
        "/documents/7",
        method="DELETE",
        headers={"X-Forwarded-For": "8.8.8.8, 203.0.113.9, 198.51.100.2"},  # the first entry is forged
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    run_wsgi_app(plain(client, answer(), trusted_proxies=trusted), environ)
    assert client.only.ip == ip


def test_an_exception_is_recorded_by_its_type_and_raised_again(client):
    app = plain(client, lambda *_: raise_(KeyError("secret")))
    with pytest.raises(KeyError, match="secret"):
        run_wsgi_app(app, environ_of("/documents/7", method="DELETE"))
    assert client.only.outcome.value == "failure"
    assert client.only.metadata["exception"] == "KeyError"
    assert "secret" not in client.only.model_dump_json()
    assert current() is None


def test_a_stream_is_passed_on_part_by_part_in_the_context_of_the_request(client):
    seen = []

    def parts():
        for number in range(3):
            seen.append(len(client.events))
            client.record(action=f"part.{number}")
            yield b"x"

    body, _, _ = run_wsgi_app(plain(client, answer("200 OK", parts())), environ_of("/documents/7", method="DELETE"))
    assert next(body) == b"x"  # the status is known, but the rest has not been produced yet
    assert [event.action for event in client.events] == ["part.0"]
    assert [*body] == [b"x"] * 2
    body.close()
    body.close()
    assert [event.action for event in client.events] == ["part.0", "part.1", "part.2", "document.deleted"]
    assert {event.tenant_id for event in client.events} == {"acme"}
    assert seen == [0, 1, 2]
    assert current() is None


def test_a_client_that_leaves_half_way_closes_the_body(client):
    closed = []

    class Body:
        def __iter__(self):
            yield from [b"x", b"y"]

        def close(self):
            closed.append(True)

    app = plain(client, answer("200 OK", Body()))
    body = app(environ_of("/documents/7", method="DELETE"), lambda *_: None)
    assert next(iter(body)) == b"x"
    body.close()
    assert closed == [True]
    assert client.only.metadata["response"] == "incomplete"


def test_a_stream_that_fails_half_way_is_a_failure(client):
    def parts():
        yield b"x"
        raise OSError("disk")

    app = plain(client, answer("200 OK", parts()))
    body = app(environ_of("/documents/7", method="DELETE"), lambda *_: None)
    assert next(body) == b"x"
    with pytest.raises(OSError, match="disk"):
        next(body)
    body.close()
    assert client.only.outcome.value == "failure"
    assert client.only.metadata["exception"] == "OSError"


def test_an_application_that_starts_its_response_late(client):
    def app(environ, start_response):
        start_response("403 FORBIDDEN", [])
        yield b"x"

    run_wsgi_app(plain(client, app), environ_of("/documents/7", method="DELETE"), buffered=True)
    assert client.only.outcome.value == "denied"


def test_bodies_that_servers_handle_specially_are_not_wrapped(client, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with (tmp_path / "file").open("rb") as file:
        environ = environ_of("/documents/7", method="DELETE") | {"wsgi.file_wrapper": FileWrapper}
        body = FileWrapper(file)
        assert plain(client, answer("200 OK", body))(environ, lambda *_: None) is body
    body = [b"x"]
    assert plain(client, answer("200 OK", body))(environ_of("/x"), lambda *_: None) is body
    assert len(client.events) == 1


@pytest.mark.parametrize(("path", "resource_id"), [("/documents/%C3%A9", "é"), ("/documents/%FF", "�")])
def test_paths_are_decoded(client, path, resource_id):
    app = AuditMiddleware(answer(), routes={"DELETE /documents/{name}": "document.deleted"}, client=client)
    run_wsgi_app(app, environ_of(path, method="DELETE"))
    assert client.only.resource_id == resource_id


class TestFlask:
    def test_a_route_becomes_an_event(self, client):
        response = documents(client).test_client().delete("/documents/7")
        assert response.status_code == 204
        assert client.only.resource_id == "7"
        assert client.only.tenant_id == "acme"
        assert client.only.metadata["route"] == "/documents/<int:document_id>"

    def test_other_routes_and_paths_are_not_recorded(self, client):
        web = documents(client).test_client()
        assert web.get("/documents/7").status_code == 405
        assert web.delete("/documents/x").status_code == 404
        assert client.events == []

    @pytest.mark.parametrize(("status", "outcome"), [(401, "denied"), (403, "denied"), (404, "failure")])
    def test_an_error_status_is_not_a_success(self, client, status, outcome):
        documents(client, lambda: abort(status)).test_client().delete("/documents/7")
        assert client.only.outcome.value == outcome

    @pytest.mark.parametrize("testing", [False, True])
    def test_an_exception_is_recorded_by_its_type(self, client, testing):
        """Flask returns a 500 response or, in testing mode, raises the exception again."""
        app = documents(client, lambda: raise_(KeyError("secret")))
        app.testing = testing
        app.logger.disabled = True
        if testing:
            with pytest.raises(KeyError):
                app.test_client().delete("/documents/7")
        else:
            assert app.test_client().delete("/documents/7").status_code == 500
        assert client.only.outcome.value == "failure"
        assert client.only.metadata["exception"] == "KeyError"

    def test_resolvers_see_what_the_view_has_determined(self, client):
        def view():
            g.tenant, session["user"] = "globex", "u-17"
            client.record(action="document.opened")
            g.tenant = "acme"
            return "", 204

        def actor(request):
            assert request.method == "DELETE"
            return Actor(session["user"], name="Jane")

        documents(client, view, tenant=lambda _: g.tenant, actor=actor).test_client().delete("/documents/7")
        assert [event.tenant_id for event in client.events] == ["globex", "acme"]
        assert {(event.actor_id, event.actor_name) for event in client.events} == {("u-17", "Jane")}

    def test_a_resolver_that_raises_is_reported_and_the_event_is_kept(self, client):
        web = documents(client, tenant=lambda _: g.missing).test_client()
        assert web.delete("/documents/7").status_code == 204
        assert client.only.tenant_id == "unassigned"
        [error] = client.errors
        assert "AttributeError" in str(error)

    def test_a_stream_keeps_flasks_context(self, client):
        def view():
            g.tenant = "acme"

            def parts():
                client.record(action="part.0")
                yield g.tenant

            return Response(stream_with_context(parts()))

        response = documents(client, view, tenant=lambda _: g.tenant).test_client().delete("/documents/7")
        assert response.data == b"acme"
        response.close()
        assert [(event.action, event.tenant_id) for event in client.events] == [
            ("part.0", "acme"),
            ("document.deleted", "acme"),
        ]

    def test_the_test_client_can_keep_the_context(self, client):
        with documents(client, lambda: (setattr(g, "seen", 1), "x")[1]).test_client() as web:
            web.delete("/documents/7")
            assert g.seen == 1
        assert len(client.events) == 1

    def test_a_thread_with_a_copy_of_the_request_context(self, client):
        def view():
            context = current()

            @copy_current_request_context
            def work():
                with context:
                    client.record(action="thread.done")

            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            return "", 204

        documents(client, view).test_client().delete("/documents/7")
        assert {event.tenant_id for event in client.events} == {"acme"}

    def test_a_mounted_application_and_one_created_by_a_factory(self, client):
        outer, audit = Flask("outer"), Audit(routes=ROUTES, client=client)
        inner = Flask("inner")
        inner.delete("/documents/<int:document_id>")(lambda document_id: "")
        audit.init_app(inner)
        outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/api": inner})
        assert outer.test_client().delete("/api/documents/7").status_code == 200
        assert client.only.resource_id == "7"

    def test_the_middleware_around_a_mount(self, client):
        inner = Flask("inner")
        inner.delete("/documents/<int:document_id>")(lambda document_id: "")
        routes = {"DELETE /api/documents/{document_id}": "document.deleted"}
        app = AuditMiddleware(DispatcherMiddleware(Flask("outer"), {"/api": inner}), routes=routes, client=client)
        assert Client(app).delete("/api/documents/7", buffered=True).status_code == 200
        assert client.only.resource_id == "7"

    def test_nothing_fails_without_a_request_of_the_middleware(self, client):
        """An application's tests may push a request context without going through the middleware."""
        with documents(client).test_request_context("/documents/7", method="DELETE"):
            pass
        assert client.events == []


class User(UserMixin):
    def __init__(self, user_id):
        self.id = user_id


class TestFlaskLogin:
    @pytest.fixture
    def app(self, client):
        app = Flask("logins")
        app.secret_key = "x"  # pragma: allowlist secret
        self.audit = Audit(
            app, routes={"DELETE /documents/<name>": "document.deleted"}, client=client, tenant=lambda _: "acme",
            record_denied=True,
        )  # fmt: skip
        self.manager = LoginManager(app)
        self.manager.user_loader(User)

        @app.post("/login")
        def login():
            login_user(User("u-17"))
            return ""

        @app.post("/failed")
        def failed():
            self.audit.login_failed("jane@acme.example", reason="unknown_user")
            return "", 401

        @app.post("/logout")
        def logout():
            logout_user()
            return ""

        app.add_url_rule("/documents/<name>", "delete", login_required(lambda name: ""), methods=["DELETE"])
        app.add_url_rule("/private", "private", login_required(lambda: ""))
        app.add_url_rule("/login", "login_page", lambda: "")
        return app

    def test_logins_and_logouts_become_events(self, app, client):
        web = app.test_client()
        web.post("/logout")  # no user is logged in
        assert client.events == []
        web.post("/login")
        web.delete("/documents/7")
        web.post("/logout")
        assert [(event.action, event.actor_id, event.resource_id) for event in client.events] == [
            ("user.login", "u-17", "u-17"),
            ("document.deleted", "u-17", "7"),
            ("user.logout", "u-17", "u-17"),
        ]
        assert {(event.tenant_id, event.ip) for event in client.events} == {("acme", "127.0.0.1")}
        assert client.events[0].metadata == {"method": "password"}

    def test_a_failed_login_is_masked(self, app, client):
        app.test_client().post("/failed")
        failed = client.events[0]
        assert (failed.action, failed.outcome.value, failed.resource) == ("user.login_failed", "failure", "user")
        assert failed.metadata == {"login": "j***@acme.example", "reason": "unknown_user", "method": "password"}

    def test_a_login_that_the_client_hashes_is_not_masked_first(self, app, client):
        client.config.hash_values = {"metadata.login"}
        app.test_client().post("/failed")
        assert client.events[0].metadata["login"] == "jane@acme.example"

    @pytest.mark.parametrize("login_view", [None, "login_page"])
    def test_a_redirect_to_the_login_page_is_denied(self, app, client, login_view):
        self.manager.login_view = login_view
        web = app.test_client()
        assert web.delete("/documents/7").status_code == (302 if login_view else 401)
        assert (client.only.action, client.only.outcome.value) == ("document.deleted", "denied")
        web.get("/private")
        assert [event.action for event in client.events] == ["document.deleted", "access.denied"]
        assert client.events[1].resource_id == "/private"


def test_applications_do_not_record_each_others_logins(client):
    other, apps = RecordingClient(), []
    for recorder in (client, other):
        app = Flask("app")
        app.secret_key = "x"  # pragma: allowlist secret
        LoginManager(app).user_loader(User)
        app.post("/login")(lambda: (login_user(User("u-1")), "")[1])
        Audit(app, client=recorder)
        apps.append(app)
    apps[0].test_client().post("/login")
    assert (len(client.events), len(other.events)) == (1, 0)


def test_an_anonymous_user_without_an_id_is_not_an_actor(client):
    app = documents(client)
    app.login_manager = SimpleNamespace(_load_user=lambda: setattr(g, "_login_user", object()))
    app.test_client().delete("/documents/7")
    assert client.only.actor_id == ""
