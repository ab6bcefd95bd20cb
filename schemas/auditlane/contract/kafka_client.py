"""librdkafka's options from the settings, for every client except the SDK."""

from __future__ import annotations

from typing import Any

from auditlane.contract.librdkafka import PRODUCER, check_extra
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings


def client_config(settings: Settings, **given: Any) -> dict[str, Any]:
    """Return options for `librdkafka.client`: the brokers and `given`, overridden by `AUDITLANE_KAFKA_EXTRA`.

    Raises ConfigError if Kafka is not configured, or if an extra option would weaken a guarantee.
    """
    if not settings.kafka_bootstrap:
        raise ConfigError(
            "Kafka is not configured.",
            fix='Set AUDITLANE_KAFKA_BOOTSTRAP; with a running `auditlane up`: eval "$(auditlane env)"',
        )
    check_extra(settings.kafka_extra)
    rack = {"client.rack": settings.kafka_rack} if settings.kafka_rack else {}
    return {"bootstrap.servers": settings.kafka_bootstrap, **rack, **given, **settings.kafka_extra}


def producer_config(client: dict[str, Any]) -> dict[str, Any]:
    """Add producer options to `client`: all replicas acknowledge, and dead letters may be as large as any message."""
    return client | {
        **PRODUCER,
        "linger.ms": 5,
        "compression.type": "lz4",
        "message.max.bytes": 1_000_000_000,
    }
