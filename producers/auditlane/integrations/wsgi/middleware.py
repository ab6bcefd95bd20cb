"""WSGI middleware that gives each request an audit context, and records an event for each configured route."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from auditlane.integrations.web.exchange import Exchange
from auditlane.integrations.web.recorder import Head, Recorder
from auditlane.integrations.web.routes import AuditRoute
from auditlane.sdk import AuditClient
from auditlane.sdk.context import AuditContext

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]

EXCHANGE: Final = "auditlane.exchange"  # environ key of the exchange, which framework integrations extend


class AuditMiddleware:
    """Records the configured routes of a WSGI application.

        app = AuditMiddleware(app, routes={"DELETE /documents/{document_id}": "document.deleted"}, tenant=tenant_of)

    Handlers may call `audit.record(action=…)`, which fills in tenant, actor, address and request id.
    """

    def __init__(
        self,
        app: WSGIApp,
        *,
        routes: Mapping[str, str | AuditRoute] | None = None,
        tenant: Callable[[Any], object] | None = None,
        actor: Callable[[Any], object] | None = None,
        trusted_proxies: str | int = "",
        record_denied: bool = False,
        client: AuditClient | None = None,
    ) -> None:
        """Wrap `app`.

        Args:
            app: The application.
            routes: Action or AuditRoute by method and path template, which is relative to the middleware's mount point.
            tenant: `tenant(request)` returns the tenant's id. Called when an event is made, so it may use anything
                that the application knows by then. `request` is the environ.
            actor: `actor(request)` returns the actor's id or an Actor. Called at the same time as `tenant`.
            trusted_proxies: Networks of proxies whose `X-Forwarded-For` is trusted, as text, or the number of proxies.
            record_denied: Record every other 401 or 403 response as `access.denied`.
            client: The client; default: `auditlane.sdk.audit`.

        Raises:
            ConfigError: A route, a resolver or a proxy is invalid.
        """
        self.app = app
        self._recorder = Recorder(
            routes=routes or {},
            tenant=tenant,
            actor=actor,
            trusted_proxies=trusted_proxies,
            record_denied=record_denied,
            client=client,
        )

    def request_of(self, environ: Environ) -> Any:
        """Return the object that is passed to the resolvers."""
        return environ

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        exchange = Exchange(environ["REQUEST_METHOD"], _path(environ))
        environ[EXCHANGE] = exchange
        # Servers iterate over the response after this call, so a `with` block would leave the request's context too
        # early.
        entered = self._recorder.context(partial(_head, environ), partial(self.request_of, environ))
        request = _Request(exchange, self._recorder, entered)

        def observed(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            exchange.status = int(status[:3])
            return start_response(status, headers, *exc_info)

        try:
            body = request.context.run(self.app, environ, observed)
        except BaseException as error:
            exchange.failed(error)
            request.end()
            raise
        if _is_whole(body, environ):  # servers treat these bodies specially, so they are not wrapped
            exchange.complete = True
            request.end()
            return body
        if exchange.complete:
            request.record()
        return _Body(body, request)


class _Request:
    """A request in progress. The application runs in `context`."""

    __slots__ = ("_entered", "_recorder", "context", "exchange")

    def __init__(self, exchange: Exchange, recorder: Recorder, entered: AuditContext) -> None:
        self.context = contextvars.copy_context()
        self.exchange = exchange
        self._recorder = recorder
        self._entered = entered
        self.context.run(entered.__enter__)

    def record(self) -> None:
        """Record the event, if any. Later calls do nothing."""
        try:
            if (values := self._recorder.event(self.exchange)) is not None:
                self.context.run(partial(self._recorder.client.record, **values))
        except Exception as error:
            self._recorder.report(error)

    def end(self) -> None:
        """Record the event and leave the audit context."""
        self.record()
        self.context.run(self._entered.__exit__, None, None, None)


class _Body:
    """The response's body, produced in the request's context."""

    def __init__(self, body: Iterable[bytes], request: _Request) -> None:
        self._body = body
        self._request = request
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        run, exchange = self._request.context.run, self._request.exchange
        try:
            if self._parts is None:
                self._parts = run(iter, self._body)
            return run(next, self._parts)
        except StopIteration:
            exchange.complete = True
            raise
        except BaseException as error:
            exchange.failed(error)
            raise

    def close(self) -> None:
        """Close the body. The server calls this once it has sent the body, or once its client has disconnected."""
        try:
            if hasattr(self._body, "close"):
                self._request.context.run(self._body.close)
        except BaseException as error:
            self._request.exchange.failed(error)
            raise
        finally:
            self._request.end()


def _is_whole(body: Iterable[bytes], environ: Environ) -> bool:
    if isinstance(body, (list, tuple)):
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def _path(environ: Environ) -> str:
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode("utf-8", "replace") or "/"


def _head(environ: Environ) -> Head:
    forwarded = environ.get("HTTP_X_FORWARDED_FOR")
    return Head(
        peer=environ.get("REMOTE_ADDR"),
        forwarded_for=[forwarded] if forwarded else (),
        user_agent=environ.get("HTTP_USER_AGENT"),
        traceparent=environ.get("HTTP_TRACEPARENT"),
        x_request_id=environ.get("HTTP_X_REQUEST_ID"),
    )
