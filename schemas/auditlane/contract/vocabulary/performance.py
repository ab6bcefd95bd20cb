"""Actions that report how a system performs: lag, delivery, losses, tasks and requests."""

from __future__ import annotations

from functools import partial
from typing import Final

from auditlane.contract.vocabulary.action import Action, MetadataKey

_action = partial(Action, group="performance")

_SECONDS: Final = MetadataKey("Age of the oldest event that is not stored, in seconds.", kind="number")
_EVENTS: Final = MetadataKey("Number of events that are not stored.", kind="number")
_SINCE: Final = MetadataKey("When this state began.", kind="time")
_SPOOLED: Final = MetadataKey("Number of events on disk.", kind="number")
_COUNT: Final = MetadataKey("Number of events.", kind="number")
_CODE: Final = MetadataKey("The code of the error.")
_EXCEPTION: Final = MetadataKey("Type of the exception, never its text.")
_PARTITIONS: Final = MetadataKey("The numbers of the partitions.", kind="list")
_DURATION: Final = MetadataKey("Duration in milliseconds.", kind="number")

DEFINITIONS: Final = (
    _action(
        "lag.detected",
        "Events have been waiting too long to be stored. Use severity `High` above ten times the limit.",
        resource="partition",
        outcome="failure",
        severity="Medium",
        required={"seconds": _SECONDS, "events": _EVENTS, "since": _SINCE},
        optional={"partitions": _PARTITIONS},
    ),
    _action(
        "lag.cleared",
        "Events are stored without undue delay again.",
        resource="partition",
        required={"seconds": _SECONDS, "events": _EVENTS, "since": _SINCE},
        optional={"partitions": _PARTITIONS},
    ),
    _action(
        "delivery.delayed",
        "Kafka is unavailable to a service, which keeps its events on disk.",
        resource="service",
        outcome="failure",
        severity="Medium",
        required={"spooled": _SPOOLED, "since": _SINCE},
    ),
    _action(
        "delivery.recovered",
        "A service has delivered all events that it kept on disk.",
        resource="service",
        required={"spooled": _SPOOLED, "since": _SINCE},
    ),
    _action(
        "events.dropped",
        "Events were lost because there was no space for them, their process was killed, or their file is corrupt.",
        resource="service",
        outcome="failure",
        severity="Critical",
        required={
            "count": _COUNT,
            "since": MetadataKey("Time of the first lost event.", kind="time"),
            "until": MetadataKey("Time of the last lost event.", kind="time"),
            "cause": MetadataKey("Why they were lost."),
        },
    ),
    _action(
        "events.refused",
        "Events broke their contract and were rejected. There is one event an hour for each code.",
        resource="topic",
        outcome="failure",
        severity="Medium",
        required={"code": _CODE, "count": _COUNT},
        optional={
            "since": MetadataKey("Start of the hour.", kind="time"),
            "until": MetadataKey("End of the hour.", kind="time"),
            "via": MetadataKey("How they were sent.", values=("kafka", "http")),
            "instance": MetadataKey("The process that refused them over HTTP."),
        },
    ),
    _action(
        "circuit_breaker.opened",
        "Partitions of a topic were halted because too many of their messages were rejected.",
        resource="topic",
        outcome="failure",
        severity="High",
        required={"code": _CODE, "count": _COUNT},
        optional={"since": _SINCE, "partitions": _PARTITIONS},
    ),
    _action(
        "circuit_breaker.closed",
        "A topic no longer has partitions that are halted because of rejected messages.",
        resource="topic",
        severity="Medium",
        required={"code": _CODE, "count": _COUNT},
        optional={"since": _SINCE},
    ),
    _action(
        "task.failed",
        "A background task failed.",
        resource="task",
        outcome="failure",
        severity="Error",
        required={"exception": _EXCEPTION},
        optional={"duration_ms": _DURATION},
    ),
    _action(
        "task.retried",
        "A background task failed and will be retried.",
        resource="task",
        outcome="failure",
        severity="Low",
        required={"exception": _EXCEPTION},
        optional={"duration_ms": _DURATION},
    ),
    _action(
        "task.revoked",
        "A background task was revoked because it expired, was terminated, or was cancelled before it began.",
        resource="task",
        severity="Low",
        required={"reason": MetadataKey("Why it does not run.", values=("expired", "terminated", "revoked"))},
    ),
    _action(
        "request.slow",
        "A request took longer than its limit.",
        resource="route",
        outcome="failure",
        severity="Low",
        required={"duration_ms": _DURATION},
    ),
    _action(
        "rate.limited",
        "Requests were refused because a caller sent too many.",
        resource="route",
        outcome="failure",
        severity="Low",
    ),
)
