"""Actions of auditlane's own audit trail, which only auditlane records."""

from __future__ import annotations

from functools import partial
from typing import Final

from auditlane.contract.vocabulary.action import Action, MetadataKey

_action = partial(Action, group="auditlane")
_access = partial(_action, log_access=True)

_ROUTE: Final = MetadataKey("The route of the request.")
_OVERLAP: Final = MetadataKey("How long the previous key remains valid.")
_LIFE: Final = MetadataKey("Validity in seconds.", kind="number")
_FORMAT: Final = MetadataKey("The format of the file.")
_ROWS: Final = MetadataKey("Number of rows.", kind="number")
_INCLUDE_ACCESS: Final = MetadataKey("Whether the file includes events about access to the log.", ("true", "false"))
_VIEW: Final = {
    "shared": MetadataKey("Whether the view is shared with everyone in the tenant.", ("true", "false")),
    "name": MetadataKey("The name of a shared view."),
}
_FILE: Final = {"format": _FORMAT, "rows": _ROWS, "include_access": _INCLUDE_ACCESS}

DEFINITIONS: Final = (
    _action("access.denied", "A request was refused.", resource="route", outcome="denied", optional={"route": _ROUTE}),
    _access("audit_log.viewed", "A tenant's log was read.", resource="audit_log", optional={"route": _ROUTE}),
    _access(
        "audit_log.viewed_as_tenant",
        "An operator opened a tenant's log from the console.",
        resource="audit_log",
        optional={"ttl_s": _LIFE},
    ),
    _access(
        "audit_log.exported",
        "A tenant's log was exported.",
        resource="audit_log",
        optional=_FILE,
    ),
    _access("export.requested", "An export job was created.", resource="export", optional=_FILE),
    _access("export.removed", "An export job was cancelled, or removed with its file.", resource="export"),
    _access("saved_view.created", "A view of a log was saved.", resource="saved_view", optional=_VIEW),
    _access("saved_view.changed", "A saved view was changed, or shared.", resource="saved_view", optional=_VIEW),
    _access("saved_view.deleted", "A saved view was deleted.", resource="saved_view", optional=_VIEW),
    _action("token.issued", "A client received an access token.", resource="token"),
    _action("token.refused", "A client was refused an access token.", resource="token", outcome="denied"),
    _access("viewer_token.issued", "A viewer token was issued.", resource="viewer_token"),
    _access("link.issued", "A link to the viewer, to an export or to the console was issued.", resource="viewer_token"),
    _access("link.opened", "A link was opened.", resource="session"),
    _action("test_event.sent", "A test event was sent.", resource="event"),
    _action("canary.sent", "The canary sent an event, to measure how long it takes to be visible.", resource="canary"),
    _action("structure.changed", "The data structure of a log was changed.", resource="structure"),
    _action("audit_logs.enabled", "The audit log of a tenant was enabled.", resource="structure"),
    _action("audit_logs.disabled", "The audit log of a tenant was disabled.", resource="structure"),
    _action("key.created", "A client's key was created.", resource="client"),
    _action("key.rotated", "A client's key was replaced.", resource="client", optional={"overlap": _OVERLAP}),
    _action("key.revoked", "A client's key was revoked.", resource="client"),
    _action(
        "signing_keys.rotated",
        "The key that signs tokens was replaced.",
        resource="signing_key",
        optional={"overlap": _OVERLAP},
    ),
    _action(
        "provenance_keys.rotated",
        "The key that signs messages was replaced.",
        resource="provenance_key",
        optional={"overlap": _OVERLAP},
    ),
    _action("loss.accepted", "An operator accepted the loss of messages that Kafka deleted.", resource="partition"),
    _action(
        "dead_letters.closed",
        "An operator closed dead letters without sending them again.",
        resource="dead_letter",
        optional={
            "rows": MetadataKey("Number of dead letters.", kind="number"),
            "reason": MetadataKey("Why they were not sent again."),
            "topic": MetadataKey("The dead-letter topic."),
        },
    ),
    _action("installation.viewed", "An operator viewed lag, dead letters, health or tenants.", resource="installation"),
)

ACCESS_ACTIONS: Final = frozenset(action.name for action in DEFINITIONS if action.log_access)
"""The actions of events about access to an audit log: reads, exports, saved views, viewer tokens, links."""
