"""librdkafka's options from the settings, one way for every client that is not the SDK."""

from __future__ import annotations

from typing import Any

from auditlane.contract.librdkafka import check_extra
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.settings import Settings


def client_config(settings: Settings, **given: Any) -> dict[str, Any]:
    """Options for `librdkafka.client`: bootstrap, what is `given`, and `AUDITLANE_KAFKA_EXTRA`, which wins.

    Raises KafkaUnavailable when no Kafka is configured, ConfigError when an extra option would weaken a guarantee.
    """
    if not settings.kafka_bootstrap:
        raise KafkaUnavailable("No Kafka is configured.", fix="Set AUDITLANE_KAFKA_BOOTSTRAP, or run `auditlane up`.")
    check_extra(settings.kafka_extra)
    return {"bootstrap.servers": settings.kafka_bootstrap, **given, **settings.kafka_extra}
