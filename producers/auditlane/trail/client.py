"""Sends the service's own audit events to Kafka. They use this release's base event, so they do not need a tenant's
contract.

The schema is `event.avsc` as registered under the base subject, regardless of fields or rules that the environment or a
tenant has added. A signature makes workers accept these events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from auditlane.access import provenance_keys
from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent
from auditlane.contract.provenance import TRAIL, Sign
from auditlane.contract.registry import Registered, RegistryClient
from auditlane.contract.registry_client import registry_client
from auditlane.contract.registry_reader import Observe
from auditlane.contract.tenants import base_subject, key_of
from auditlane.runtime.errors import AuditlaneError, ConfigError
from auditlane.runtime.settings import Settings, variable
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery import KafkaDelivery
from auditlane.sdk.delivery_tracker import DeliveryTracker
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.transport import OnError, OnSettled

BUFFER_BYTES: Final = 8 << 20
DELIVERY_TIMEOUT_MS: Final = 3_600_000  # time after which librdkafka gives up retrying and reports an event as failed


class Emitter(Protocol):
    """Sends audit events. If `send` raises BufferFull or a registry error, the event was not accepted."""

    def send(self, event: AuditEvent, on_settled: OnSettled) -> None:
        """Send one event.

        Calls `on_settled` once, from another thread: with None if Kafka acknowledged the event, otherwise with the
        error.
        """
        ...

    def close(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for Kafka, then abandon the remaining events."""
        ...


Connect = Callable[[OnError], Emitter]


def connect(settings: Settings, observe: Observe | None = None) -> Connect:
    """Return a function that creates the sink's producer, to be called for the first event.

    `observe` is called after every request to the registry.
    """
    return lambda on_error: AuditProducer(
        settings, on_error, delivery_timeout_ms=DELIVERY_TIMEOUT_MS, observe_registry=observe
    )


class AuditProducer:
    """Signs and sends audit events. One thread uses it; `on_settled` and `on_error` are called from another."""

    def __init__(
        self,
        settings: Settings,
        on_error: OnError,
        *,
        delivery_timeout_ms: int,
        observe_registry: Observe | None = None,
    ) -> None:
        """Create the client, which calls `on_error(error, event_id)` like AuditClient. Raises ConfigError."""
        self._config = ClientConfig(
            kafka_bootstrap=settings.kafka_bootstrap,
            kafka_extra=settings.kafka_extra,
            registry_url=settings.registry_url,
            topic=settings.topic,
            max_event_bytes=settings.max_event_bytes,
            buffer_bytes=BUFFER_BYTES,
            delivery_timeout_ms=delivery_timeout_ms,
        )
        self._on_error = on_error
        self._sign = signer(settings)
        self._registry = registry_client(settings, observe_registry)
        self._encoder: Encoder | None = None
        self._tracker = DeliveryTracker()
        self._delivery = KafkaDelivery(self._config, self._tracker, on_error)

    def send(self, event: AuditEvent, on_settled: OnSettled) -> None:
        """Send one event, as described in Emitter. Blocks on the registry until its first response."""
        if self._encoder is None:
            found = own_schema(self._registry, self._config.topic)
            self._encoder = Encoder.parse(found.subject, found.schema_id, found.schema)
        value = self._encoder.encode(event, self._config.max_event_bytes)
        if self._delivery.fatal is not None:
            self._delivery.abandon()
            self._delivery.stop(0)
            self._delivery = KafkaDelivery(self._config, self._tracker, self._on_error)
        key = key_of(event.tenant_id)
        name, signature = self._sign(key, value)
        topic, headers = self._config.topic, {name: signature}
        self._delivery.produce(topic, key, value, event.event_id, event.tenant_id, on_settled, headers)

    def close(self, timeout_s: float) -> None:
        """See Emitter."""
        if self._tracker.flush(timeout_s, seal=True).pending:
            self._delivery.abandon()
            self._tracker.flush(timeout_s)
        self._delivery.stop()
        self._registry.close()


def signer(settings: Settings) -> Sign:
    """Return the signer of audit events. Workers reject unsigned audit events as forged.

    Never creates keys, since workers would not have them. Raises ConfigError.
    """
    path = provenance_keys.path_of(settings)
    if path is None:
        raise ConfigError(
            "auditlane's own events cannot be signed: no provenance keys are configured.",
            field=variable("provenance_keys_file"),
            fix="Set AUDITLANE_PROVENANCE_KEYS_FILE to the file that `serve` and the workers use. For the embedded "
            "stack, `auditlane env` prints it.",
        )
    try:
        return provenance_keys.ProvenanceKeys(path).lasting_signer(TRAIL)
    except ConfigError as error:
        raise ConfigError(
            f"auditlane's own events cannot be signed: {error.message}",
            field=variable("provenance_keys_file"),
            fix="Set AUDITLANE_PROVENANCE_KEYS_FILE to the file that `serve` and the workers use.",
        ) from error


def own_schema(registry: RegistryClient, topic: str) -> Registered:
    """Return the schema for audit events: this release's base event, or else the base subject's oldest version.

    Neither has fields that the environment added. Raises RegistryUnavailable or RegistryRefused.
    """
    subject = base_subject(topic)
    found = registry.lookup(subject, json.dumps(base_schema()))
    return found or registry.version(subject, registry.versions(subject)[0])


def send_now(settings: Settings, events: Sequence[AuditEvent], wait_s: float) -> tuple[list[AuditEvent], str]:
    """Send events from a short-lived process. Returns those not acknowledged within `wait_s`, and the first error."""
    left = {(event.tenant_id, event.event_id): event for event in events}
    problems: list[str] = []

    def settled(event: AuditEvent, error: AuditlaneError | None) -> None:
        if error is None:
            left.pop((event.tenant_id, event.event_id))
        else:
            problems.append(str(error))

    try:
        client = AuditProducer(
            settings, lambda error, event_id: None, delivery_timeout_ms=max(100, int(wait_s * 1_000))
        )
        try:
            for event in events:
                client.send(event, partial(settled, event))
        finally:
            client.close(wait_s)
    except AuditlaneError as error:
        problems.append(str(error))
    return list(left.values()), problems[0] if problems else ""
