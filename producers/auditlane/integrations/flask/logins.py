"""Turns Flask-Login's signals into events. Imported only if the application itself has imported Flask-Login."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, has_request_context, request

from auditlane.integrations.web.accounts import of_user
from auditlane.integrations.wsgi.middleware import EXCHANGE
from auditlane.sdk import AuditClient


def current_user_id(_: object) -> str | None:
    """Return the id of Flask-Login's current user. Returns None if no user is logged in or Flask-Login is not
    installed."""
    if not has_request_context() or not hasattr(current_app, "login_manager"):
        return None
    from flask_login import current_user

    return _id(current_user)


def connect(app: Flask, client: AuditClient) -> None:
    """Record this application's logins and logouts if Flask-Login is installed."""
    try:
        from flask_login import signals
    except ImportError:
        return

    def logged_in(_: Flask, user: Any, **__: object) -> None:
        client.record(**of_user("user.login", _id(user), method="password"))

    def logged_out(_: Flask, user: Any, **__: object) -> None:
        if (user_id := _id(user)) is not None:  # None: no user was logged in
            client.record(**of_user("user.logout", user_id))

    signals.user_logged_in.connect(logged_in, app, weak=False)
    signals.user_logged_out.connect(logged_out, app, weak=False)
    signals.user_unauthorized.connect(_note_denied, app, weak=False)


def _note_denied(_: Flask, **__: object) -> None:
    """Note that a login is required, since the response may be a redirect to the login page."""
    exchange = request.environ.get(EXCHANGE)
    if exchange is not None:
        exchange.denied = True


def _id(user: Any) -> str | None:
    """Return a user's id, or None for an anonymous user."""
    try:
        found = user.get_id()
        return None if found is None else str(found)
    except Exception:  # raised by the application's class; the login must not fail
        return None
