"""Emit audit events from a service: `from auditlane.sdk import AuditClient`. The names here are the public surface."""

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

__all__ = [
    "AuditClient",
    "AuditEvent",
    "AuditlaneError",
    "BufferFull",
    "ClientClosed",
    "ClientConfig",
    "ClientStats",
    "ConfigError",
    "DeliveryFailed",
    "Failure",
    "FlushResult",
    "InvalidEvent",
    "KafkaUnavailable",
    "Outcome",
    "RegistryRefused",
    "RegistryUnavailable",
    "Severity",
]
