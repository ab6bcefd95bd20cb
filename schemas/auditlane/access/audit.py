"""auditlane's own audit trail, for routes: an action's record, its sink, and a request's auditor."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

from auditlane.contract.event import SeverityName

Outcome = Literal["success", "failure", "denied"]


class Action(StrEnum):
    """Actions of auditlane's own events. Modules may record others, which are named in the same way."""

    viewed = "audit_log.viewed"
    viewed_as_tenant = "audit_log.viewed_as_tenant"  # an operator opened the log from the console
    exported = "audit_log.exported"
    denied = "access.denied"
    token_issued = "token.issued"  # noqa: S105 - an action, not a secret
    token_refused = "token.refused"  # noqa: S105
    viewer_token_issued = "viewer_token.issued"  # noqa: S105
    link_issued = "link.issued"
    link_opened = "link.opened"
    saved_view_created = "saved_view.created"
    saved_view_changed = "saved_view.changed"
    saved_view_deleted = "saved_view.deleted"
    test_event_sent = "test_event.sent"
    canary_sent = "canary.sent"
    structure_changed = "structure.changed"
    schema_changed = "schema.changed"  # a version of a contract was registered
    logs_enabled = "audit_logs.enabled"
    logs_disabled = "audit_logs.disabled"
    key_created = "key.created"
    key_rotated = "key.rotated"
    key_revoked = "key.revoked"
    signing_keys_rotated = "signing_keys.rotated"
    provenance_keys_rotated = "provenance_keys.rotated"
    loss_accepted = "loss.accepted"
    events_replayed = "events.replayed"  # events were replayed from a topic or the dead letters
    letters_closed = "dead_letters.closed"
    operated = "installation.viewed"  # an operator viewed lag, dead letters, health or tenants
    security_checked = "security.checked"
    events_dropped = "events.dropped"  # audit events lost because memory and the spool were both full


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An action that a caller performed or attempted on auditlane itself.

    Every record appears in the log of auditlane's own tenant `_auditlane` and, if `tenant` is not None, also in that
    tenant's log. `actor_type` is user, api_key, service, system or anonymous, and `actor_name` is the client's name.
    `severity` defaults to the action's in the vocabulary, or Medium for a denied action. `occurred_at` and `event_id`
    default to the current time and a new id. Set both for an event that may be recorded more than once: readers see
    events with the same time and id only once.
    """

    action: str
    tenant: str | None = None
    actor_id: str = ""
    actor_type: str = "user"
    actor_name: str | None = None
    outcome: Outcome = "success"
    severity: SeverityName | None = None
    resource: str = ""
    resource_id: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    ip: str | None = None
    request_id: str | None = None
    occurred_at: datetime | None = None
    event_id: str | None = None


class AuditSink(Protocol):
    """Receives the records of auditlane's own audit trail."""

    def record(self, record: AuditRecord) -> None:
        """Queue one record. Never blocks and never raises: auditing must not interrupt the audited request."""
        ...


class NullAuditSink:
    """Discards every record. Used in tests and by services without Kafka. `problem` is the reason."""

    waiting: Final = None
    spooled_bytes: Final = 0

    def __init__(self, problem: str = "") -> None:
        self.problem = problem

    def record(self, record: AuditRecord) -> None:
        """Do nothing."""

    def running(self) -> AbstractContextManager[object]:
        """Return a context that does nothing."""
        return nullcontext()


class RequestAuditor:
    """Records the actions of one request. The middleware creates it, authentication sets its actor, and routes call
    `record`.

    If no route records anything, the middleware records the request under the permission that it required. Only routes
    with details to add (an export's rows, a change) therefore call `record`.
    """

    __slots__ = ("actor_id", "actor_name", "actor_type", "client_id", "ip", "recorded", "request_id", "sink", "tenant")

    def __init__(self, sink: AuditSink, *, ip: str | None = None, request_id: str | None = None) -> None:
        self.sink = sink
        self.ip = ip
        self.request_id = request_id
        self.actor_id = ""
        self.actor_type = "anonymous"
        self.actor_name: str | None = None
        self.client_id = ""  # the client that vouched for this user
        self.tenant: str | None = None
        self.recorded = False

    def record(
        self,
        action: str,
        *,
        tenant: str | None = None,
        outcome: Outcome = "success",
        resource: str = "",
        resource_id: str | None = None,
        description: str | None = None,
        **metadata: Any,
    ) -> None:
        """Record an action by this request's caller.

        `tenant` defaults to the request's own. None values in `metadata` are omitted. All other values are converted to
        text, and booleans become `true` or `false`.
        """
        self.recorded = True
        metadata = {"client": self.client_id or None} | metadata
        self.sink.record(
            AuditRecord(
                action=action,
                tenant=tenant or self.tenant,
                actor_id=self.actor_id,
                actor_type=self.actor_type,
                actor_name=self.actor_name,
                outcome=outcome,
                resource=resource,
                resource_id=resource_id,
                description=description,
                metadata={name: _text(value) for name, value in metadata.items() if value is not None},
                ip=self.ip,
                request_id=self.request_id,
            )
        )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_SILENT: Final = NullAuditSink()


def auditor_of(request: Any) -> RequestAuditor:
    """Return the auditor of a request, which is any object with a `state`. Without the middleware, it discards
    records.
    """
    found = getattr(request.state, "auditor", None)
    return found if isinstance(found, RequestAuditor) else RequestAuditor(_SILENT)
