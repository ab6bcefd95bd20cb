"""Records logins, failed logins, logouts and password reset requests, immediately rather than after the commit."""

from __future__ import annotations

from inspect import signature
from typing import Any, Final

from django.contrib.auth import signals
from django.http import HttpRequest

from auditlane.integrations.django.options import options
from auditlane.integrations.django.recording import record_now, safely
from auditlane.integrations.django.request_context import actor_of
from auditlane.integrations.django.wrapping import then, wrap
from auditlane.sdk.masking import masked

_NAMES: Final = ("username", "email", "login", "identifier")  # keys of a credential that identify the user
_METHODS: Final = {"socialaccount": "social", "code": "magic_link", "passkey": "passkey", "password": "password"}
REFUSED: Final = "_auditlane_refused"  # request attribute with the reason why a rule refused the login


def connect() -> None:
    """Connect the signals of Django's authentication."""
    signals.user_logged_in.connect(_logged_in, dispatch_uid="auditlane.login")
    signals.user_logged_out.connect(_logged_out, dispatch_uid="auditlane.logout")
    signals.user_login_failed.connect(_login_failed, dispatch_uid="auditlane.login_failed")
    _watch_reset_requests()


@safely
def _logged_in(sender: object, request: HttpRequest | None, user: Any, **_: object) -> None:
    metadata = {"method": _method(request, user)}
    if backend := getattr(user, "backend", None):
        metadata["backend"] = str(backend)
    record_now(request, "user.login", resource="user", resource_id=_id(user), metadata=metadata, **actor_of(user))


@safely
def _logged_out(sender: object, request: HttpRequest | None, user: Any, **_: object) -> None:
    if user is not None:  # None: no user was logged in
        record_now(request, "user.logout", resource="user", resource_id=_id(user), **actor_of(user))


@safely
def _login_failed(sender: object, credentials: dict[str, Any], request: HttpRequest | None = None, **_: object) -> None:
    name = next((credentials[key] for key in (_user_name(), *_NAMES) if credentials.get(key)), None)
    refused = getattr(request, REFUSED, None)
    record_now(
        request,
        "user.login_failed",
        resource="user",
        outcome="denied" if refused else "failure",
        metadata={"reason": refused or "bad_credentials", "login": shown_login(name)},
    )


def shown_login(name: object) -> str:
    """Return the login as typed, or masked unless PLAIN_LOGINS is on, since people type passwords into that field."""
    if name is None:
        return ""
    text = str(name)[:200]
    return text if options().plain_logins else masked(text)


def _user_name() -> str:
    from django.contrib.auth import get_user_model

    return str(get_user_model().USERNAME_FIELD)


def _id(user: Any) -> str | None:
    return actor_of(user)["actor_id"]


def _method(request: HttpRequest | None, user: Any) -> str:
    """Return how the user logged in: the method that allauth noted in the session, or else the password."""
    session = getattr(request, "session", None)
    noted = session.get("account_authentication_methods") if session is not None else None
    last = noted[-1] if isinstance(noted, list) and noted else None
    method = last.get("method") if isinstance(last, dict) else "password"
    if method == "mfa" and isinstance(noted, list) and len(noted) > 1:
        method = noted[-2].get("method")
    return _METHODS.get(str(method), "password")


def _watch_reset_requests() -> None:
    """Record each password reset email. Django does not send a signal for it."""
    from django.contrib.auth.forms import PasswordResetForm

    sent = signature(PasswordResetForm.send_mail)

    def after(*args: Any, **kwargs: Any) -> None:
        reset_requested(sent.bind(*args, **kwargs).arguments["context"].get("user"))

    wrap(PasswordResetForm, "send_mail", then(after))


@safely
def reset_requested(user: Any) -> None:
    """Record that a user was sent a link for resetting their password."""
    record_now(None, "user.password_reset_requested", resource="user", resource_id=_id(user), metadata={"by": "self"})
