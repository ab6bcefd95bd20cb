"""Maps an exported row to an OCSF event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as version_of
from typing import Any, Final

from auditlane.query.export.formats import OcsfVersion
from auditlane.query.export.ocsf import objects
from auditlane.query.export.ocsf.activities import OTHER, activity_of
from auditlane.query.export.ocsf.classes import SHAPES, Mapped
from auditlane.query.export.ocsf.row import Attributes, Row

_PRODUCT: Final = {"name": "auditlane", "vendor_name": "auditlane", "version": version_of("auditlane")}
_LOG: Final = "audit_log"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_UNKNOWN: Final = (0, "Unknown")
_SEVERITIES: Final = {
    "Info": (1, "Informational"),
    "Low": (2, "Low"),
    "Medium": (3, "Medium"),
    "High": (4, "High"),
    "Critical": (5, "Critical"),
    "Error": (OTHER, "Error"),
}
_STATUSES: Final = {"success": (1, "Success"), "failure": (2, "Failure"), "denied": (2, "Failure")}


def ocsf_event(values: Mapping[str, Any], version: OcsfVersion) -> Attributes:
    """Map a row of JSON Lines to an OCSF event. The row must have `event_id`, `tenant_id`, `occurred_at` and `action`.

    Values for which the class has no attribute go into `unmapped`.
    """
    row = Row(values)
    action, by = row.take("action"), objects.actor(row)
    class_uid, activity_id = activity_of(action, version)
    shape = SHAPES[class_uid]
    ids = row.take("event_id"), row.take("tenant_id")
    mapped = Mapped(action, activity_id, by, *ids, row.take("source"), version)
    event: Attributes = {
        "class_uid": class_uid,
        "category_uid": class_uid // 1_000,
        "activity_id": activity_id,
        "type_uid": class_uid * 100 + activity_id,
        "time": _milliseconds(row.get("occurred_at")),
        "metadata": _metadata(row, mapped),
    }
    if activity_id == OTHER:
        event["activity_name"] = action
    _add_status(event, row)
    if message := row.take("description"):
        event["message"] = message
    event.update(shape.build(row, mapped))
    if by:
        event["actor"] = {"user": by}
        if session := row.take_key("session_id"):
            event["actor"]["session"] = {"uid": session}
        if not shape.actor:
            event["metadata"]["profiles"] = ["host"]
    if shape.endpoint and (endpoint := objects.endpoint(row)):
        event["src_endpoint"] = endpoint
    if shape.request and (request := objects.request(row)):
        event["http_request"] = request
    if rest := row.rest():
        event["unmapped"] = rest
    return event


def _metadata(row: Row, mapped: Mapped) -> Attributes:
    """Take the values that identify and describe the record itself."""
    made: Attributes = {
        "version": mapped.version.value,
        "product": _PRODUCT,
        "uid": mapped.event_id,
        "tenant_uid": mapped.tenant_id,
        "log_name": _LOG,
        "event_code": mapped.action,
        "original_time": row.take("occurred_at"),
    }
    if mapped.source:
        made["source"] = mapped.source
    if request_id := row.take("request_id"):
        made["correlation_uid"] = request_id
    if ingested_at := row.take("ingested_at"):
        made["logged_time"] = _milliseconds(ingested_at)
    return made


def _add_status(event: Attributes, row: Row) -> None:
    """Add the severity and the outcome. Failed and denied actions differ only in their status code and detail."""
    outcome = row.take("outcome")
    event["severity_id"], event["severity"] = _SEVERITIES.get(row.take("severity"), _UNKNOWN)
    event["status_id"], event["status"] = _STATUSES.get(outcome, _UNKNOWN)
    if outcome:
        event["status_code"] = outcome
    if outcome in ("failure", "denied"):
        parts = ("denied" if outcome == "denied" else "", row.take_key("reason"))
        if detail := ": ".join(filter(None, parts)):
            event["status_detail"] = detail


def _milliseconds(time: str) -> int:
    return (datetime.fromisoformat(time) - _EPOCH) // _MILLISECOND
