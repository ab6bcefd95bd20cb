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
from auditlane.query.export.ocsf.objects import given
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
    """Map a row of JSON Lines to an OCSF event. The row has at least `event_id`, `tenant_id`, `occurred_at`, `action`.

    Everything that no attribute of the class takes is in `unmapped`.
    """
    row = Row(values)
    action, by, source = row.take("action"), objects.actor(row), row.take("source")
    class_uid, activity_id = activity_of(action, version)
    shape = SHAPES[class_uid]
    mapped = Mapped(action, activity_id, by, row.take("event_id"), row.take("tenant_id"), source, version)
    outcome = row.take("outcome")
    severity_id, severity = _SEVERITIES.get(row.take("severity"), _UNKNOWN)
    status_id, status = _STATUSES.get(outcome, _UNKNOWN)
    occurred_at = row.take("occurred_at")
    metadata: Attributes = {
        "version": version.value,
        "product": _PRODUCT,
        "uid": mapped.event_id,
        "tenant_uid": mapped.tenant_id,
        "log_name": _LOG,
        "event_code": action,
        "original_time": occurred_at,
    }
    metadata |= given(source=source, correlation_uid=row.take("request_id"))
    if ingested_at := row.take("ingested_at"):
        metadata["logged_time"] = _milliseconds(ingested_at)
    event: Attributes = {
        "class_uid": class_uid,
        "category_uid": class_uid // 1_000,
        "activity_id": activity_id,
        "type_uid": class_uid * 100 + activity_id,
        "time": _milliseconds(occurred_at),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "metadata": metadata,
    }
    if activity_id == OTHER:
        event["activity_name"] = action
    event |= given(status_code=outcome, status_detail=_detail(outcome, row), message=row.take("description"))
    event |= shape.build(row, mapped)
    if by:
        session = row.take_key("session_id")
        event["actor"] = {"user": by} | given(session=given(uid=session))
        if not shape.actor:
            metadata["profiles"] = ["host"]
    if shape.endpoint:
        event |= given(src_endpoint=objects.endpoint(row))
    if shape.request:
        event |= given(http_request=objects.request(row))
    return event | given(unmapped=row.rest())


def _detail(outcome: str, row: Row) -> str:
    """Take what is known about a failure; OCSF has no other place for the difference between failed and denied."""
    reason = row.take_key("reason") if outcome in ("failure", "denied") else ""
    return ": ".join(filter(None, ("denied" if outcome == "denied" else "", reason)))


def _milliseconds(time: str) -> int:
    return (datetime.fromisoformat(time) - _EPOCH) // _MILLISECOND
