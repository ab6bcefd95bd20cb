"""Our own audit trail, as routes see it: a deed, where deeds go, and the witness that knows who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal, Protocol

Outcome = Literal["success", "failure", "denied"]


class Action(StrEnum):
    """What our own events say happened. Parts may record other actions, named alike: `thing.deed`."""

    viewed = "audit_log.viewed"
    viewed_as_tenant = "audit_log.viewed_as_tenant"  # an operator opened it from the console
    exported = "audit_log.exported"
    denied = "access.denied"
    token_issued = "token.issued"  # noqa: S105 - an action, not a secret
    token_refused = "token.refused"  # noqa: S105
    viewer_token_issued = "viewer_token.issued"  # noqa: S105
    link_issued = "link.issued"
    link_opened = "link.opened"
    test_event_sent = "test_event.sent"
    structure_changed = "structure.changed"
    logs_enabled = "audit_logs.enabled"
    logs_disabled = "audit_logs.disabled"
    key_created = "key.created"
    key_rotated = "key.rotated"
    key_revoked = "key.revoked"
    signing_keys_rotated = "signing_keys.rotated"
    provenance_keys_rotated = "provenance_keys.rotated"
    loss_accepted = "loss.accepted"
    operated = "installation.viewed"  # lag, dead letters, health, tenants
    events_dropped = "events.dropped"  # of this trail: no memory and no file had room for them


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One thing that somebody did, or tried to do, with auditlane itself.

    `tenant` None records it in the log of auditlane's own tenant `_auditlane` alone, which has a copy of every deed.
    `actor_type` is user, api_key, service, system or anonymous.
    """

    action: str
    tenant: str | None = None
    actor_id: str = ""
    actor_type: str = "user"
    outcome: Outcome = "success"
    resource: str = ""
    resource_id: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    ip: str | None = None
    request_id: str | None = None


class Trail(Protocol):
    """Where deeds go."""

    def record(self, deed: Deed) -> None:
        """Take one deed. Never blocks and never raises: who audits must not stop what is audited."""
        ...


class NoTrail:
    """Keeps nothing: for tests, and for a service without Kafka."""

    def record(self, deed: Deed) -> None:
        """Forget it."""


class Witness:
    """One request's way to the trail. The middleware makes it, the gate says who asks, routes `record`.

    A request in which no route records anything is recorded by the middleware, by the permission that it needed; so
    only what has more to tell (an export's rows, what was changed) calls this.
    """

    __slots__ = ("actor_id", "actor_type", "client_id", "ip", "recorded", "request_id", "tenant", "trail")

    def __init__(self, trail: Trail, *, ip: str | None = None, request_id: str | None = None) -> None:
        self.trail = trail
        self.ip = ip
        self.request_id = request_id
        self.actor_id = ""
        self.actor_type = "anonymous"
        self.client_id = ""  # of the client that vouched for this user
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
        """Record what this request's caller did. `tenant` is the request's own unless given; None in `metadata` is left
        out, the rest becomes text."""
        self.recorded = True
        metadata = {"client": self.client_id or None} | metadata
        self.trail.record(
            Deed(
                action=action,
                tenant=tenant or self.tenant,
                actor_id=self.actor_id,
                actor_type=self.actor_type,
                outcome=outcome,
                resource=resource,
                resource_id=resource_id,
                description=description,
                metadata={name: str(value) for name, value in metadata.items() if value is not None},
                ip=self.ip,
                request_id=self.request_id,
            )
        )


_SILENT: Final = NoTrail()


def witness_of(request: Any) -> Witness:
    """The witness of a request (anything with a `state`); one that keeps nothing where no middleware made one."""
    found = getattr(request.state, "witness", None)
    return found if isinstance(found, Witness) else Witness(_SILENT)
