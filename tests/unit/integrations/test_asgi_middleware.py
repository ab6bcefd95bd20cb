"""Tests the ASGI middleware with real Starlette and FastAPI applications."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgi_driver import Call, call
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from recording import RecordingClient
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from auditlane.integrations import asgi
from auditlane.integrations.fastapi import Actor, AuditMiddleware
from auditlane.runtime.errors import ConfigError
from auditlane.sdk.context import current

DELETE = "DELETE /documents/{document_id}"
ROUTES = {DELETE: "document.deleted"}


@pytest.fixture
def client() -> RecordingClient:
    return RecordingClient()


def documents(client, *, status=204, body=None, **options):
    app = FastAPI()

    @app.delete("/documents/{document_id}", status_code=status)
    async def delete(document_id: str) -> None:
        if body:
            body()

    app.add_middleware(AuditMiddleware, routes=ROUTES, client=client, **({"tenant": lambda _: "acme"} | options))
    return app


def raise_(error):
    raise error


@pytest.mark.parametrize("outer", [True, False])
def test_a_configured_route_becomes_an_event(client, outer):
    app = documents(client)
    if outer:  # wrapped around the application, as in a framework without `add_middleware`
        app = FastAPI()
        app.delete("/documents/{document_id}", status_code=204)(lambda document_id: None)
        app = asgi.AuditMiddleware(app, routes=ROUTES, client=client, tenant=lambda scope: "acme")
    headers = {"user-agent": "curl/8", "x-request-id": "r-1", "x-forwarded-for": "203.0.113.9"}
    assert call(app, "DELETE", "/documents/7", headers=headers) == 204
    event = client.only
    assert (event.tenant_id, event.action, event.outcome.value) == ("acme", "document.deleted", "success")
    assert (event.resource, event.resource_id) == ("document", "7")
    assert (event.ip, event.user_agent, event.request_id) == ("192.0.2.7", "curl/8", "r-1")
    assert event.metadata == {"method": "DELETE", "route": "/documents/{document_id}", "status": "204"}


def test_other_routes_and_paths_are_not_recorded(client):
    app = documents(client)
    assert call(app, "GET", "/documents/7") == 405
    assert call(app, "DELETE", "/documents/7/x") == 404
    assert call(app, "DELETE", "/documents/7/") == 307
    assert client.events == []


@pytest.mark.parametrize(
    ("trusted", "ip"),
    [
        ("", "192.0.2.7"),
        ("192.0.2.0/24", "198.51.100.2"),
        ("192.0.2.0/24,198.51.100.0/24", "203.0.113.9"),
        ("2", "203.0.113.9"),
        (2, "203.0.113.9"),
    ],
)
def test_the_address_is_the_peers_unless_proxies_are_trusted(client, trusted, ip):
    forwarded = {"x-forwarded-for": "8.8.8.8, 203.0.113.9, 198.51.100.2"}  # the first entry is forged
    call(documents(client, trusted_proxies=trusted), "DELETE", "/documents/7", headers=forwarded)
    assert client.only.ip == ip


def test_a_trace_parent_wins_over_a_request_id(client):
    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "x-request-id": "r-1"}
    call(documents(client), "DELETE", "/documents/7", headers=headers)
    assert client.only.request_id == "a" * 32


@pytest.mark.parametrize("peer", [None, ("", 0)])
def test_a_unix_socket_has_no_address(client, peer):
    call(documents(client), "DELETE", "/documents/7", client=peer)
    assert client.only.ip is None


@pytest.mark.parametrize(("status", "outcome"), [(401, "denied"), (403, "denied"), (404, "failure"), (409, "failure")])
def test_an_error_status_is_not_a_success(client, status, outcome):
    call(documents(client, body=lambda: raise_(HTTPException(status))), "DELETE", "/documents/7")
    assert (client.only.outcome.value, client.only.metadata["status"]) == (outcome, str(status))


def test_a_request_that_does_not_validate_is_a_failure(client):
    app = FastAPI()
    app.delete("/documents/{document_id}")(_delete_by_number)
    app.add_middleware(AuditMiddleware, routes=ROUTES, client=client)
    assert call(app, "DELETE", "/documents/x") == 422
    assert (client.only.outcome.value, client.only.resource_id) == ("failure", "x")


def _delete_by_number(document_id: int) -> None: ...


@pytest.mark.parametrize("outside", [True, False])
def test_an_exception_is_recorded_by_its_type_and_raised_again(client, outside):
    """Outside Starlette's own error handling, the exception is raised only after a complete response."""
    app = documents(None if outside else client, body=lambda: raise_(KeyError("secret")))
    if outside:
        app.user_middleware.clear()
        app = asgi.AuditMiddleware(app, routes=ROUTES, client=client)
    with pytest.raises(KeyError, match="secret"):
        call(app, "DELETE", "/documents/7")
    assert client.only.outcome.value == "failure"
    assert client.only.metadata["exception"] == "KeyError"
    assert "secret" not in client.only.model_dump_json()
    assert ("status" in client.only.metadata) is outside


def test_a_cancelled_request_is_recorded(client):
    async def scenario():
        entered = asyncio.Event()

        async def app(scope, receive, send):
            entered.set()
            await asyncio.Event().wait()

        running = asyncio.create_task(
            Call(asgi.AuditMiddleware(app, routes=ROUTES, client=client), "DELETE", "/documents/7").run()
        )
        await entered.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(scenario())
    assert client.only.metadata == {
        "method": "DELETE",
        "route": "/documents/{document_id}",
        "exception": "CancelledError",
        "response": "none",
    }


def test_a_client_that_leaves_before_the_response_is_a_failure(client):
    """uvicorn reports the disconnect when the application calls `receive`, and Starlette then raises
    ClientDisconnect.
    """
    app = FastAPI()

    @app.delete("/documents/{document_id}")
    async def delete(request: Request) -> None:
        await request.body()

    app.add_middleware(AuditMiddleware, routes=ROUTES, client=client)
    request = Call(app, "DELETE", "/documents/7")
    request.gone = True
    with pytest.raises(OSError, match="the client has left"):  # Starlette tries to send a 500 response
        asyncio.run(request.run())
    assert client.only.outcome.value == "failure"
    assert client.only.metadata["exception"] == "ClientDisconnect"
    assert client.only.metadata["response"] == "none"


def test_an_application_without_a_response_is_a_failure(client):
    async def app(scope, receive, send): ...

    assert call(asgi.AuditMiddleware(app, routes=ROUTES, client=client), "DELETE", "/documents/7") == 0
    assert (client.only.outcome.value, client.only.metadata["response"]) == ("failure", "none")


def streaming(client, parts, background=None):
    async def endpoint(request):
        return StreamingResponse(parts(), background=background)

    app = Starlette(routes=[Route("/documents/{document_id}", endpoint, methods=["DELETE"])])
    app.add_middleware(AuditMiddleware, routes=ROUTES, client=client, tenant=lambda _: "acme")
    return app


def test_a_stream_is_recorded_once_at_its_end_with_the_context_of_the_request(client):
    seen = []

    async def parts():
        for number in range(3):
            seen.append(len(client.events))
            client.record(action=f"part.{number}")
            yield b"x"

    request = Call(streaming(client, parts), "DELETE", "/documents/7")
    asyncio.run(request.run())
    assert [event.action for event in client.events] == ["part.0", "part.1", "part.2", "document.deleted"]
    assert {event.tenant_id for event in client.events} == {"acme"}
    assert len(request.sent) == 5  # passed on one by one: the start, three parts, and the end


def test_a_stream_that_fails_half_way_is_a_failure(client):
    async def parts():
        yield b"x"
        raise ValueError("secret")

    with pytest.raises(ValueError, match="secret"):
        call(streaming(client, parts), "DELETE", "/documents/7")
    assert client.only.outcome.value == "failure"
    assert client.only.metadata["response"] == "incomplete"
    assert client.only.metadata["exception"] == "ValueError"


def test_a_stream_whose_client_leaves_is_incomplete(client):
    async def parts():
        yield b"x"
        request.gone = True
        yield b"y"

    request = Call(streaming(client, parts), "DELETE", "/documents/7")
    with pytest.raises(ClientDisconnect):
        asyncio.run(request.run())
    assert client.only.outcome.value == "success"  # according to its status, the request succeeded
    assert client.only.metadata["response"] == "incomplete"
    assert "exception" not in client.only.metadata


def test_background_tasks_do_not_delay_the_event(client):
    seen = []
    app = Starlette(
        routes=[
            Route(
                "/documents/{document_id}",
                lambda _: PlainTextResponse("", background=BackgroundTask(lambda: seen.append(len(client.events)))),
                methods=["DELETE"],
            )
        ]
    )
    app.add_middleware(AuditMiddleware, routes=ROUTES, client=client)
    call(app, "DELETE", "/documents/7")
    assert seen == [1]
    assert len(client.events) == 1


class TestMounts:
    """Tests prefixes, and applications mounted inside the application that has the middleware."""

    routes = {"DELETE /api/{version}/documents/{document_id}": "document.deleted"}  # noqa: RUF012

    def app(self, client, inner, path="/api/{version}"):
        outer = Starlette(routes=[Mount(path, inner)])
        outer.add_middleware(AuditMiddleware, routes=self.routes, client=client)
        return outer

    @pytest.mark.parametrize("root_path", ["", "/behind"])
    def test_routes_of_a_mounted_application_are_audited(self, client, root_path):
        inner = FastAPI()
        inner.delete("/documents/{document_id}")(lambda document_id: None)
        app = self.app(client, inner)
        assert call(app, "DELETE", f"{root_path}/api/v2/documents/7", root_path=root_path) == 200
        assert client.only.resource_id == "7"
        assert client.only.metadata["version"] == "v2"

    def test_routes_of_an_included_router_are_audited(self, client):
        router, outer, app = APIRouter(prefix="/documents"), APIRouter(prefix="/{version}"), FastAPI()
        router.delete("/archive")(lambda: None)
        router.delete("/{document_id}")(lambda document_id: None)
        outer.include_router(router)
        app.include_router(outer, prefix="/api")
        app.add_middleware(AuditMiddleware, routes=self.routes, client=client)
        assert call(app, "DELETE", "/api/v2/documents/archive") == 200
        assert client.events == []
        assert call(app, "DELETE", "/api/v2/documents/7") == 200
        assert client.only.resource_id == "7"

    def test_the_middleware_inside_a_mounted_application(self, client):
        inner = documents(client)
        assert call(Starlette(routes=[Mount("/api", inner)]), "DELETE", "/api/documents/7") == 204
        assert client.only.metadata["route"] == "/documents/{document_id}"

    def test_a_proxy_that_strips_the_prefix(self, client):
        assert call(documents(client), "DELETE", "/documents/7", root_path="/api") == 204
        assert client.only.resource_id == "7"

    def test_an_application_without_a_framework(self, client):
        async def inner(scope, receive, send):
            await PlainTextResponse("ok")(scope, receive, send)

        assert call(self.app(client, inner), "DELETE", "/api/v2/documents/7") == 200
        assert client.only.resource_id == "7"

    def test_a_middleware_that_copies_the_scope(self, client):
        def copying(app):
            async def inner(scope, receive, send):
                await app(dict(scope), receive, send)

            return inner

        app = asgi.AuditMiddleware(copying(documents(None)), routes=ROUTES, client=client)
        app.app = copying(FastAPI())
        assert call(app, "DELETE", "/documents/7") == 404
        assert client.only.outcome.value == "failure"


def test_a_middleware_that_answers_before_the_router_is_recorded(client):
    async def refuse(request, call_next):
        return PlainTextResponse("", status_code=401)

    app = documents(None)
    app.user_middleware.clear()
    app.add_middleware(BaseHTTPMiddleware, dispatch=refuse)
    app.add_middleware(AuditMiddleware, routes=ROUTES, client=client)
    assert call(app, "DELETE", "/documents/7") == 401
    assert client.only.outcome.value == "denied"


def test_denied_requests_are_recorded_on_request(client):
    app = FastAPI()
    app.get("/secret/{name}")(lambda name: raise_(HTTPException(403)))
    app.add_middleware(AuditMiddleware, client=client, record_denied=True)
    assert call(app, "GET", "/secret/7") == 403
    assert (client.only.action, client.only.resource_id) == ("access.denied", "/secret/{name}")


class TestResolvers:
    def test_the_actor_is_read_when_the_event_is_made(self, client):
        """A dependency determines the user during the request."""
        app = FastAPI()

        def user(request: Request) -> None:
            request.state.user = Actor("u-17", name="Jane", type="api_key")

        @app.delete("/documents/{document_id}", dependencies=[Depends(user)])
        def delete(document_id: str) -> None:
            client.record(action="document.opened")

        app.add_middleware(
            AuditMiddleware,
            routes=ROUTES,
            client=client,
            tenant=lambda request: request.headers["x-tenant"],
            actor=lambda request: getattr(request.state, "user", None),
        )
        call(app, "DELETE", "/documents/7", headers={"x-tenant": "acme"})
        assert [event.action for event in client.events] == ["document.opened", "document.deleted"]
        assert {(event.tenant_id, event.actor_id) for event in client.events} == {("acme", "u-17")}
        assert {(event.actor_name, event.actor_type) for event in client.events} == {("Jane", "api_key")}

    def test_a_value_that_a_handler_in_a_thread_sets_wins(self, client):
        app, threads = FastAPI(), []

        @app.delete("/documents/{document_id}")
        def delete(document_id: str) -> None:
            threads.append(threading.current_thread())
            current().actor_id = "u-9"
            current().tenant_id = "globex"

        app.add_middleware(
            AuditMiddleware, routes=ROUTES, client=client, tenant=lambda _: "acme", actor=lambda _: "u-1"
        )
        call(app, "DELETE", "/documents/7")
        assert threads[0] is not threading.main_thread()
        assert (client.only.tenant_id, client.only.actor_id) == ("globex", "u-9")

    @pytest.mark.parametrize("tenant", [None, lambda _: None, lambda _: "", lambda _: raise_(KeyError("x"))])
    def test_without_a_tenant_the_event_goes_to_the_catch_all_tenant(self, client, tenant, caplog):
        app = documents(client, tenant=tenant, actor=lambda _: "u-1")
        for _ in range(2):
            assert call(app, "DELETE", "/documents/7") == 204
        assert [(event.tenant_id, event.actor_id) for event in client.events] == [("unassigned", "u-1")] * 2
        assert client.unassigned == 2
        assert len(client.errors) == (2 if tenant and "raise_" in tenant.__code__.co_names else 0)

    @pytest.mark.parametrize(
        "actor", [lambda _: None, lambda _: "", lambda _: Actor(None), lambda _: raise_(OSError())]
    )
    def test_an_actor_without_id_is_left_out(self, client, actor):
        assert call(documents(client, actor=actor), "DELETE", "/documents/7") == 204
        assert (client.only.tenant_id, client.only.actor_id) == ("acme", "")

    def test_a_user_who_has_logged_out_is_still_the_actor(self, client):
        users = ["u-1", None]
        app = documents(client, actor=lambda _: users.pop(0), body=lambda: client.record(action="user.logout"))
        call(app, "DELETE", "/documents/7")
        assert [event.actor_id for event in client.events] == ["u-1", "u-1"]

    @pytest.mark.parametrize("name", ["tenant", "actor"])
    def test_a_coroutine_function_is_refused(self, name):
        async def resolver(request): ...

        with pytest.raises(ConfigError, match=f"{name} must not be a coroutine function"):
            AuditMiddleware(FastAPI(), **{name: resolver})


def test_an_event_that_may_wait_for_the_registry_does_not_hold_up_the_event_loop():
    client = RecordingClient(knows=False)
    threads = []
    record = client.record
    client.record = lambda **values: (threads.append(threading.current_thread()), record(**values))[1]

    async def scenario():
        app = documents(client, actor=lambda _: "u-1")
        await Call(app, "DELETE", "/documents/7").run()
        await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(scenario())
    assert threads[0] is not threading.main_thread()
    assert (client.only.tenant_id, client.only.actor_id, client.only.ip) == ("acme", "u-1", "192.0.2.7")


def test_an_event_is_recorded_while_the_event_loop_ends():
    client = RecordingClient(knows=False)

    async def scenario():
        await asyncio.get_running_loop().shutdown_default_executor()
        return await Call(documents(client), "DELETE", "/documents/7").run()

    assert asyncio.run(scenario()) == 204
    assert client.only.action == "document.deleted"


def test_websockets_pass_unchanged_with_a_context(client):
    async def endpoint(websocket):
        await websocket.accept()
        client.record(action="socket.opened")
        await websocket.close()

    app = Starlette(routes=[WebSocketRoute("/ws", endpoint)])
    app.add_middleware(
        AuditMiddleware, routes={"* /ws": "a.b"}, client=client, tenant=lambda conn: conn.headers["x-tenant"]
    )
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])

    scope = Call(app, "GET", "/ws", headers={"x-tenant": "acme"}).scope | {"type": "websocket", "subprotocols": []}
    asyncio.run(app(scope, receive, send))
    assert sent == ["websocket.accept", "websocket.close"]
    assert (client.only.action, client.only.tenant_id) == ("socket.opened", "acme")


def test_the_end_of_the_lifespan_flushes_before_the_server_learns_of_it(client):
    app = documents(client)
    waiting = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append((message["type"], client.flushes))

    asyncio.run(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    assert sent == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 1)]


def test_contexts_of_concurrent_requests_are_separate(client):
    async def scenario():
        both, app = asyncio.Barrier(2), FastAPI()

        @app.delete("/documents/{document_id}")
        async def delete(document_id: str) -> None:
            current().actor_id = document_id
            await both.wait()

        app.add_middleware(AuditMiddleware, routes=ROUTES, client=client)
        await asyncio.gather(*(Call(app, "DELETE", f"/documents/{number}").run() for number in "12"))

    asyncio.run(scenario())
    assert {(event.actor_id, event.resource_id) for event in client.events} == {("1", "1"), ("2", "2")}
    assert current() is None
