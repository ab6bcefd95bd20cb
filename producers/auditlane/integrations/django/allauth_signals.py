"""Records events about second factors, addresses, social accounts and rejected codes, from allauth's signals.

Logins, logouts and passwords need no allauth signals: allauth sends Django's own, and saves the user.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from django.apps import apps
from django.http import HttpRequest

from auditlane.integrations.django.recording import database_of, record_after_commit, record_now, safely
from auditlane.integrations.django.request_context import current_request, user_of
from auditlane.integrations.django.sign_ins import reset_requested
from auditlane.integrations.django.wrapping import then, wrap
from auditlane.sdk.masking import masked

_FACTORS: Final = {"recovery_codes": "recovery"}


def connect() -> None:
    """Connect the signals of the installed allauth apps."""
    receivers: dict[str, dict[str, Callable[..., None]]] = {
        "account": {
            "email_confirmed": _email_verified,
            "email_added": functools.partial(_emails_changed, "added"),
            "email_removed": functools.partial(_emails_changed, "removed"),
            "login_code_rejected": functools.partial(_rejected, "bad_credentials"),
            "password_reset_code_rejected": functools.partial(_rejected, "bad_credentials"),
        },
        "mfa": {
            "authenticator_added": functools.partial(_factor, "user.mfa_enrolled"),
            "authenticator_removed": functools.partial(_factor, "user.mfa_removed"),
            "authenticator_reset": functools.partial(_factor, "user.mfa_enrolled"),
            "authentication_failed": functools.partial(_rejected, "mfa"),
        },
        "socialaccount": {
            "social_account_added": functools.partial(_identity, "user.identity_linked"),
            "social_account_removed": functools.partial(_identity, "user.identity_unlinked"),
        },
    }
    for app, named in receivers.items():
        if not apps.is_installed(f"allauth.{app}"):
            continue
        signals = import_module(f"allauth.{app}.signals")
        for name, receiver in named.items():
            if (signal := getattr(signals, name, None)) is not None:  # some releases lack some of them
                signal.connect(receiver, weak=False, dispatch_uid=f"auditlane.{app}.{name}")
    if apps.is_installed("allauth.account"):
        _watch_reset_requests()


@safely
def _email_verified(request: HttpRequest | None = None, email_address: Any = None, **_: object) -> None:
    record_now(
        request,
        "user.email_verified",
        resource_id=str(email_address.user_id),
        metadata={"email": masked(str(email_address.email))},
    )


@safely
def _emails_changed(
    change: str, request: HttpRequest | None = None, user: Any = None, email_address: Any = None, **_: object
) -> None:
    side = "after" if change == "added" else "before"
    record_after_commit(
        database_of(user),
        "user.updated",
        resource_id=str(user.pk),
        metadata={"changed_fields": "emails", "origin": f"allauth:email_{change}"},
        **{side: {"emails": [masked(str(email_address.email))]}},
    )


@safely
def _rejected(reason: str, request: HttpRequest | None = None, user: Any = None, **_: object) -> None:
    record_now(
        request,
        "user.login_failed",
        resource_id=None if user is None or user.pk is None else str(user.pk),
        metadata={"reason": reason, "login": ""},
    )


@safely
def _factor(
    action: str, request: HttpRequest | None = None, user: Any = None, authenticator: Any = None, **_: object
) -> None:
    kind = str(authenticator.type)
    record_after_commit(
        database_of(user),
        action,
        resource_id=str(user.pk),
        metadata={"factor": _FACTORS.get(kind, kind), "by": _by(user)},
    )


@safely
def _identity(
    action: str,
    request: HttpRequest | None = None,
    sociallogin: Any = None,
    socialaccount: Any = None,
    **_: object,
) -> None:
    account = socialaccount if sociallogin is None else sociallogin.account
    record_after_commit(
        database_of(account.user),
        action,
        resource_id=str(account.user_id),
        metadata={"provider": str(account.provider), "by": _by(account.user)},
    )


def _by(user: Any) -> str:
    request = current_request()
    if request is None:
        return "system"
    actor = user_of(request)
    return "admin" if actor is not None and actor.is_authenticated and actor.pk != user.pk else "self"


def _watch_reset_requests() -> None:
    """Record each password reset email, which allauth sends through its own form."""
    from allauth.account.adapter import DefaultAccountAdapter

    wrap(
        DefaultAccountAdapter,
        "send_password_reset_mail",
        then(lambda adapter, user, *_args, **_kwargs: reset_requested(user)),
    )
