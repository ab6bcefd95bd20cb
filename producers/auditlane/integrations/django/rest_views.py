"""Records denied requests of Django REST framework: a 401 or 403 response becomes `access.denied`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from rest_framework.views import APIView

from auditlane.integrations.django.recording import record_now, safely
from auditlane.integrations.django.request_context import current_request
from auditlane.integrations.django.wrapping import wrap

_DENIED: Final = (401, 403)
_MOST_CHARACTERS: Final = 300  # maximum length of a path

Handler = Callable[[Exception, dict[str, Any]], Any]


def install() -> None:
    """Wrap every view's exception handler, including custom ones."""
    wrap(APIView, "get_exception_handler", lambda original, view: functools.partial(_handle, original(view)))


def _handle(handler: Handler, error: Exception, context: dict[str, Any]) -> Any:
    response = handler(error, context)
    if getattr(response, "status_code", None) in _DENIED:
        _denied(error, context, response.status_code)
    return response


@safely
def _denied(error: Exception, context: dict[str, Any], status: int) -> None:
    request = context["request"]
    match = request.resolver_match
    record_now(
        getattr(request, "_request", request) if current_request() is None else None,
        "access.denied",
        resource_id=str(match.route if match else request.path)[:_MOST_CHARACTERS],
        metadata={
            "method": str(request.method),
            "path": str(request.path)[:_MOST_CHARACTERS],
            "status": str(status),
            "reason": str(getattr(error, "default_code", type(error).__name__)),
        },
    )
