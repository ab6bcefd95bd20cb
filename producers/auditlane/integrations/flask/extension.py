"""The Flask extension, which adds facts about a request that only the application knows to the WSGI middleware."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, got_request_exception, has_request_context, request

from auditlane.integrations import wsgi
from auditlane.integrations.flask import logins
from auditlane.integrations.web.accounts import record_login_failed
from auditlane.integrations.web.exchange import Exchange
from auditlane.integrations.web.resolvers import settle
from auditlane.integrations.web.routes import AuditRoute
from auditlane.integrations.wsgi.middleware import EXCHANGE, Environ
from auditlane.sdk import AuditClient, audit
from auditlane.sdk.context import current


class Audit:
    """Records the configured routes of a Flask application and, if Flask-Login is installed, its logins.

        audit = Audit(app, routes={"DELETE /documents/<document_id>": "document.deleted"}, tenant=lambda _: g.tenant)

    Views may call `auditlane.sdk.audit.record(action=…)`, which fills in tenant, actor, address and request id.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        routes: Mapping[str, str | AuditRoute] | None = None,
        tenant: Callable[[Any], object] | None = None,
        actor: Callable[[Any], object] | None = None,
        trusted_proxies: str | int = "",
        record_denied: bool = False,
        client: AuditClient | None = None,
    ) -> None:
        """Set the options. If `app` is given, call `init_app` with it.

        Args:
            app: The application; None to call `init_app` later.
            routes: Action or AuditRoute by method and rule, such as `DELETE /documents/<int:document_id>`.
            tenant: `tenant(request)` returns the tenant's id. Called within the request when an event is made, and at
                its end, so `g`, `session` and `current_user` are available.
            actor: `actor(request)` returns the actor's id or an Actor; default: Flask-Login's current user.
            trusted_proxies: Networks of proxies whose `X-Forwarded-For` is trusted, as text, or the number of proxies.
            record_denied: Record every other 401 or 403 response, and what Flask-Login refuses, as
                `access.denied`.
            client: The client; default: `auditlane.sdk.audit`.
        """
        self._options: dict[str, Any] = {
            "routes": routes,
            "tenant": tenant,
            "actor": actor or logins.current_user_id,
            "trusted_proxies": trusted_proxies,
            "record_denied": record_denied,
            "client": client,
        }
        self._client = audit if client is None else client
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Wrap the application and listen to its signals. Raises ConfigError for invalid options."""
        app.wsgi_app = _Middleware(app.wsgi_app, **self._options)  # type: ignore[method-assign]
        app.after_request(_note_response)
        app.teardown_request(_note_route)
        got_request_exception.connect(_note_exception, app, weak=False)
        logins.connect(app, self._client)

    def login_failed(self, login: str, *, reason: str = "bad_credentials", user_id: object = None) -> None:
        """Record a failed login, which neither Flask nor Flask-Login notices. Never raises.

        `login` is the text that the user typed; the event contains it masked. `reason` is `bad_credentials`,
        `unknown_user`, `mfa`, `locked`, `disabled`, `expired` or `policy`.
        """
        record_login_failed(self._client, login, reason, user_id=user_id)


class _Middleware(wsgi.AuditMiddleware):
    def request_of(self, environ: Environ) -> Any:
        """Return Flask's request, or the WSGI environ once the request is over."""
        return request._get_current_object() if has_request_context() else environ  # type: ignore[attr-defined]  # noqa: SLF001 - Flask documents it


def _note_response(response: Response) -> Response:
    """Note a response that is in memory or is an error. Its event is then built before the server has sent it."""
    exchange: Exchange | None = request.environ.get(EXCHANGE)
    if exchange is not None:
        exchange.complete = not response.is_streamed or response.status_code >= 400
    return response


def _note_route(_: BaseException | None) -> None:
    """Keep the rule and the resolvers' results, which are no longer available once Flask has left the request."""
    exchange: Exchange | None = request.environ.get(EXCHANGE)
    if exchange is None:
        return
    rule = request.url_rule
    exchange.template, exchange.unrouted = (None, True) if rule is None else (rule.rule, False)
    if (context := current()) is not None:
        settle(context)


def _note_exception(_: Flask, exception: BaseException, **__: object) -> None:
    exchange: Exchange | None = request.environ.get(EXCHANGE)
    if exchange is not None:
        exchange.failed(exception)
