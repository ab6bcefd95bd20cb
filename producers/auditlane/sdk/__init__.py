"""Emit audit events with `AuditClient`, read them with `AuditReader`.

The public API is what this package exports. The reader's names are imported on first use, to keep emitting light.
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
    InvalidEvent,
    KafkaUnavailable,
    RegistryRefused,
    RegistryUnavailable,
)
from auditlane.sdk.client import AuditClient
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.context import AuditContext
from auditlane.sdk.default_client import audit, default_client, set_default_client
from auditlane.sdk.results import ClientStats, Failure, FlushResult

if typing.TYPE_CHECKING:
    from auditlane.sdk.reader import AuditReader, Event, EventFilters, ExportProgress, SingleEvent

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
    "EventFilters",
    "ExportProgress",
    "Failure",
    "FlushResult",
    "InvalidEvent",
    "KafkaUnavailable",
    "Outcome",
    "RegistryRefused",
    "RegistryUnavailable",
    "Severity",
    "SingleEvent",
    "audit",
    "default_client",
    "set_default_client",
]

_READER_NAMES = frozenset({"AuditReader", "Event", "EventFilters", "ExportProgress", "SingleEvent"})


def __getattr__(name: str) -> typing.Any:
    if name in _READER_NAMES:
        return getattr(importlib.import_module("auditlane.sdk.reader"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
