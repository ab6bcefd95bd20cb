"""Actions that report on the operation of a system: processes, versions, retention, checks and expiry."""

from __future__ import annotations

from functools import partial
from typing import Final

from auditlane.contract.vocabulary.action import Action, MetadataKey

_action = partial(Action, group="maintenance")

_VERSION: Final = MetadataKey("The version that is running.")
_INSTANCE: Final = MetadataKey("The host or process.")
_CAUSE: Final = MetadataKey("Why it happened.")
_PREVIOUS: Final = MetadataKey("The version before.")
_ROWS: Final = MetadataKey("Number of events.", kind="number")
_AT: Final = MetadataKey("When it expires or is full.", kind="time")
_TOTAL: Final = MetadataKey("Size of the disk, such as `1.8 TiB`.")
_LEFT: Final = MetadataKey("What remains, such as `6 days` or `4 GiB`.")

DEFINITIONS: Final = (
    _action(
        "service.started",
        "A service started.",
        resource="service",
        required={"version": _VERSION, "instance": _INSTANCE},
    ),
    _action(
        "service.stopped",
        "A service stopped. The outcome is `failure` after a crash.",
        resource="service",
        required={"version": _VERSION, "instance": _INSTANCE},
        optional={"cause": _CAUSE},
    ),
    _action(
        "worker.restarted",
        "A worker process ended unexpectedly and was started again.",
        resource="service",
        severity="Medium",
        outcome="failure",
        required={"version": _VERSION, "instance": _INSTANCE, "cause": _CAUSE},
    ),
    _action(
        "version.changed",
        "Another version of a service was installed.",
        resource="service",
        severity="Low",
        required={"previous": _PREVIOUS, "version": _VERSION},
    ),
    _action(
        "schema.changed",
        "A version of a contract was registered.",
        resource="schema",
        severity="Low",
        required={"previous": _PREVIOUS, "version": MetadataKey("The version that was registered.")},
    ),
    _action(
        "retention.applied",
        "Events older than the retention period were deleted.",
        resource="log",
        severity="Low",
        required={"rows": _ROWS, "older_than": MetadataKey("Time before which events were deleted.", kind="time")},
    ),
    _action(
        "events.replayed",
        "Messages were sent again.",
        resource="log",
        severity="Medium",
        required={"rows": _ROWS, "older_than": MetadataKey("Time before which messages were sent.", kind="time")},
        optional={
            "topic": MetadataKey("Where the messages were read."),
            "target": MetadataKey("Where they were sent, if not to their own topic."),
        },
    ),
    _action(
        "security.checked",
        "The security of an installation was checked. The outcome is `failure` if there are serious findings.",
        resource="installation",
        required={
            "findings": MetadataKey("Number of findings.", kind="number"),
            "critical": MetadataKey("Number of critical findings.", kind="number"),
            "version": _VERSION,
        },
        optional={
            "codes": MetadataKey("The codes of the findings.", kind="list"),
            "not_made": MetadataKey("The names of checks that were not made.", kind="list"),
        },
    ),
    _action(
        "certificate.expiring",
        "A certificate expires soon. Use severity `High` if little time remains.",
        resource="certificate",
        outcome="failure",
        severity="Medium",
        required={"at": _AT, "left": _LEFT},
    ),
    _action(
        "certificate.renewed",
        "A certificate that was about to expire was renewed.",
        resource="certificate",
        optional={"at": _AT, "left": _LEFT},
    ),
    _action(
        "key.expiring",
        "A key expires soon. Use severity `High` if little time remains.",
        resource="key",
        outcome="failure",
        severity="Medium",
        required={"at": _AT, "left": _LEFT},
    ),
    _action(
        "key.renewed",
        "A key that was about to expire was renewed.",
        resource="key",
        optional={"at": _AT, "left": _LEFT},
    ),
    _action(
        "disk.filling",
        "A disk will be full soon. Use severity `High` if little space remains.",
        resource="disk",
        outcome="failure",
        severity="Medium",
        required={"left": _LEFT},
        optional={"at": _AT, "total": _TOTAL},
    ),
    _action(
        "disk.freed",
        "A disk that was nearly full has space again.",
        resource="disk",
        required={"left": _LEFT},
        optional={"total": _TOTAL},
    ),
)
