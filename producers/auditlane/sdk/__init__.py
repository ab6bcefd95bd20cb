"""Emit audit events from a service: `from auditlane.sdk import AuditClient`; read them: `AuditReader`.

The names here are the public surface. Those of the reader are imported when they are first used: who emits needs none.
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
from auditlane.sdk.results import ClientStats, Failure, FlushResult

if typing.TYPE_CHECKING:
    from auditlane.sdk.reader import AuditReader, Event, EventFilters, ExportProgress, SingleEvent

__all__ = [
    "AuditClient",
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
]

_OF_THE_READER = frozenset({"AuditReader", "Event", "EventFilters", "ExportProgress", "SingleEvent"})


def __getattr__(name: str) -> typing.Any:
    if name in _OF_THE_READER:
        return getattr(importlib.import_module("auditlane.sdk.reader"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
