"""Records events immediately, or once the change that they describe is committed. Nothing here raises."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from contextvars import Context
from datetime import UTC, datetime
from typing import Any, Final, ParamSpec

from django.db import router, transaction
from django.db.models import Model
from django.http import HttpRequest

from auditlane.contract.vocabulary import ACTIONS
from auditlane.integrations.django.options import options
from auditlane.integrations.django.request_context import RequestContext, current_request
from auditlane.sdk import AuditClient, audit
from auditlane.sdk.context import current, known_values

P = ParamSpec("P")

_logger: Final = logging.getLogger("auditlane.integrations.django")


def client() -> AuditClient:
    """Return the client named in AUDITLANE["CLIENT"], or the process's default client."""
    chosen = options().client
    return audit if chosen is None else chosen()


def safely(receiver: Callable[P, None]) -> Callable[P, None]:
    """Wrap the function so that its exceptions are never raised, but counted and reported to the client's
    `on_error`.
    """

    @functools.wraps(receiver)
    def receive(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            receiver(*args, **kwargs)
        except Exception as error:
            report(error)

    return receive


def report(error: Exception) -> None:
    """Count an event that could not be built, and report the error to the client's `on_error`. Never raises."""
    try:
        client().report_unrecorded(error)
    except Exception:  # the client itself cannot be created
        _logger.exception("An audit event could not be made.")


def _report_resolver(error: Exception) -> None:
    try:
        client().report_resolver(error)
    except Exception:  # the client itself cannot be created
        _logger.exception("The actor or tenant of an audit event is missing.")


@safely
def record_now(request: HttpRequest | None, action: str, **event: Any) -> None:
    """Record a request's event immediately. `request` may be None, and need not have passed through the middleware."""
    with nullcontext() if request is None or current_request() is not None else RequestContext(request):
        client().record(**_complete(action, event))


@safely
def record_after_commit(using: str, action: str, **event: Any) -> None:
    """Record an event once the transaction on the database `using` commits. On a rollback, the event is dropped.

    The actor and the tenant are read now, since users who delete their own account have no id at the commit.
    """
    event = {"occurred_at": datetime.now(UTC), **_with_context(_complete(action, event))}
    transaction.on_commit(lambda: _record(event), using=using, robust=True)


def database_of(obj: Model) -> str:
    """Return the database to which an object is written, which may differ from the one from which it was read."""
    return str(router.db_for_write(type(obj), instance=obj))


def _with_context(event: dict[str, Any]) -> dict[str, Any]:
    known = known_values(_report_resolver)
    metadata = {**known.pop("metadata", {}), **event.get("metadata", {})}
    return {**known, **event, "metadata": metadata}


@safely
def _record(event: Mapping[str, Any]) -> None:
    # in an empty context, so that no values from the time of the commit are added
    Context().run(client().record, **event)


def _complete(action: str, event: dict[str, Any]) -> dict[str, Any]:
    """Complete the event with the vocabulary's default severity, outcome and resource for its action."""
    values: dict[str, Any] = {"action": action, "outcome": "success"}
    if (known := ACTIONS.get(action)) is not None:
        values |= {"outcome": known.outcome, "severity": known.severity, "resource": known.resource}
    if current() is None:
        values["actor_type"] = "system"  # a management command, or the shell
    return values | {name: value for name, value in event.items() if value is not None}
