"""Adds an event to a Django database transaction."""

from __future__ import annotations

from typing import Any

from django.db import router, transaction

from auditlane.contract.event import AuditEvent
from auditlane.outbox.django.models import OutboxEvent
from auditlane.outbox.rows import OutboxRow
from auditlane.runtime.errors import ConfigError
from auditlane.sdk import AuditClient, audit


def emit(
    event: AuditEvent | None = None, /, *, using: str | None = None, client: AuditClient = audit, **values: Any
) -> str:
    """Add one event to the current transaction, and return the event's id.

    Takes the arguments of `AuditClient.emit`. The event is sent if and only if the transaction is committed.

    Args:
        event: A complete event, instead of keywords.
        using: The database's alias. By default, Django's routers choose the one for the outbox.
        client: The client that checks and encodes the event. By default, the process's default client.
        values: The event's fields.

    Raises the errors of `AuditClient.emit` about the event, and ConfigError outside a transaction.
    """
    alias = using or router.db_for_write(OutboxEvent)
    if not transaction.get_connection(alias).in_atomic_block:
        raise ConfigError(
            "The event was emitted outside a transaction, so it would be sent even if the change were not saved.",
            fix="Emit within `transaction.atomic()`, or set ATOMIC_REQUESTS.",
        )
    row = OutboxRow.of(client.prepare(event, **values))
    OutboxEvent.objects.using(alias).create(**row.values())
    return row.id
