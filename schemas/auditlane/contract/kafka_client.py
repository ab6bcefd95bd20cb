"""librdkafka's options from the settings, one way for every client that is not the SDK."""

from __future__ import annotations

from typing import Any

from auditlane.contract.librdkafka import PRODUCER, check_extra
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings


def client_config(settings: Settings, **given: Any) -> dict[str, Any]:
    """Options for `librdkafka.client`: bootstrap, what is `given`, and `AUDITLANE_KAFKA_EXTRA`, which wins.

    Raises ConfigError when no Kafka is configured or an extra option would weaken a guarantee.
    """
    if not settings.kafka_bootstrap:
        raise ConfigError(
            "No Kafka is configured.",
            fix='Set AUDITLANE_KAFKA_BOOTSTRAP; beside a running `auditlane up`: eval "$(auditlane env)"',
        )
    check_extra(settings.kafka_extra)
    return {"bootstrap.servers": settings.kafka_bootstrap, **given, **settings.kafka_extra}


def producer_config(client: dict[str, Any]) -> dict[str, Any]:
    """`client` with what an acknowledged dead letter needs: it may be as large as whatever was consumed."""
    return client | {
        **PRODUCER,
        "linger.ms": 5,
        "compression.type": "lz4",
        "message.max.bytes": 1_000_000_000,
    }
