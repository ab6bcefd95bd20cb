"""Records account locks and refused logins from django-axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.exceptions import AxesBackendPermissionDenied
from axes.helpers import get_failure_limit
from axes.signals import user_locked_out
from django.http import HttpRequest

from auditlane.integrations.django.recording import record_now, safely
from auditlane.integrations.django.sign_ins import REFUSED, shown_login
from auditlane.integrations.django.wrapping import wrap


def connect() -> None:
    """Connect the signal that reports a lock, and note why axes refuses a login."""
    user_locked_out.connect(_locked, dispatch_uid="auditlane.locked")
    wrap(AxesStandaloneBackend, "authenticate", _authenticate)


def _authenticate(original: Callable[..., Any], backend: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
    try:
        return original(backend, request, *args, **kwargs)
    except AxesBackendPermissionDenied:
        setattr(request, REFUSED, "locked")
        raise


@safely
def _locked(request: HttpRequest, username: str | None, **_: object) -> None:
    """Record the failure that locked an account. axes sends its signal again for every later attempt."""
    failures = getattr(request, "axes_failures_since_start", None)
    if hasattr(request, REFUSED):
        return
    attempts = get_failure_limit(request, getattr(request, "axes_credentials", {})) if failures is None else failures
    record_now(
        request,
        "user.locked",
        metadata={"reason": "attempts", "login": shown_login(username), "attempts": str(attempts)},
    )
