"""Emits audit events with `AuditClient`, and reads them with `AuditReader`.

The public API is what this package exports. Names that emitting does not need are imported on first use.
"""

import importlib
import typing

from auditlane.contract.event import AuditEvent, Outcome, Severity
from auditlane.runtime.errors import (
    AuditlaneError,
    BufferFull,
    ClientClosed,
    ConfigError,
    DeliveryFailed,
    GatewayUnavailable,
    InvalidEvent,
    KafkaUnavailable,
    RegistryRefused,
    RegistryUnavailable,
)
from auditlane.sdk.client import AuditClient
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.context import AuditContext
from auditlane.sdk.default_client import audit, default_client, set_default_client
from auditlane.sdk.results import ClientStats, Failure, FlushResult, SpoolStats

if typing.TYPE_CHECKING:
    from auditlane.sdk.event_fields import EventFields
    from auditlane.sdk.reader import AuditReader, Event, EventFilters, EventGroups, ExportProgress, SingleEvent

__all__ = [
    "AuditClient",
    "AuditContext",
    "AuditEvent",
    "AuditReader",
    "AuditlaneError",
    "BufferFull",
    "ClientClosed",
    "ClientConfig",
    "ClientStats",
    "ConfigError",
    "DeliveryFailed",
    "Event",
    "EventFields",
    "EventFilters",
    "EventGroups",
    "ExportProgress",
    "Failure",
    "FlushResult",
    "GatewayUnavailable",
    "InvalidEvent",
    "KafkaUnavailable",
    "Outcome",
    "RegistryRefused",
    "RegistryUnavailable",
    "Severity",
    "SingleEvent",
    "SpoolStats",
    "audit",
    "default_client",
    "set_default_client",
]

_LATE = dict.fromkeys(
    ("AuditReader", "Event", "EventFilters", "EventGroups", "ExportProgress", "SingleEvent"), "reader"
)
_LATE["EventFields"] = "event_fields"


def __getattr__(name: str) -> typing.Any:
    if name in _LATE:
        return getattr(importlib.import_module(f"auditlane.sdk.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
