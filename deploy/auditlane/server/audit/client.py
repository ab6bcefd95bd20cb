"""How our own events reach Kafka: written with the event of this release, and subject to nobody's contract.

The schema is that of `event.avsc` as the base subject has it, whatever the environment or a tenant has added, demanded
or made exclusive since; the signature is what makes a worker admit it.
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
from auditlane.contract.tenants import base_subject, key_of
from auditlane.runtime.errors import AuditlaneError, ConfigError
from auditlane.runtime.settings import Settings, variable
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery import Delivery, OnError, OnSettled
from auditlane.sdk.delivery_tracker import DeliveryTracker
from auditlane.sdk.encoding import Encoder

BUFFER_BYTES: Final = 8 << 20
DELIVERY_TIMEOUT_MS: Final = 3_600_000  # Kafka may be away for an hour before librdkafka gives an event back


class Emitter(Protocol):
    """Takes our own events. `send` raises BufferFull, and what the registry raises; then it did not take the event."""

    def send(self, event: AuditEvent, on_settled: OnSettled) -> None:
        """Take one event; `on_settled(None)` is called when Kafka has it, else `on_settled(error)`, once, from another
        thread."""
        ...

    def close(self, timeout_s: float) -> None:
        """Wait so long for Kafka, then give the rest up."""
        ...


Connect = Callable[[OnError], Emitter]


def connect(settings: Settings) -> Connect:
    """How a sink gets its producer: made when there is something to emit."""
    return lambda on_error: AuditProducer(settings, on_error, delivery_timeout_ms=DELIVERY_TIMEOUT_MS)


class AuditProducer:
    """Used by one thread; on_settled and on_error are called from another."""

    def __init__(self, settings: Settings, on_error: OnError, *, delivery_timeout_ms: int) -> None:
        """`on_error(error, event_id)` as AuditClient's. Raises ConfigError."""
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
        self._registry = registry_client(settings)
        self._encoder: Encoder | None = None
        self._tracker = DeliveryTracker()
        self._delivery = Delivery(self._config, self._tracker, on_error)

    def send(self, event: AuditEvent, on_settled: OnSettled) -> None:
        """See Emitter. Waits for the registry until it has answered once."""
        if self._encoder is None:
            found = own_schema(self._registry, self._config.topic)
            self._encoder = Encoder.parse(found.subject, found.schema_id, found.schema)
        value = self._encoder.encode(event, self._config.max_event_bytes)
        if self._delivery.fatal is not None:
            self._delivery.abandon()
            self._delivery.stop(0)
            self._delivery = Delivery(self._config, self._tracker, self._on_error)
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
    """What signs our own events, without which a worker takes them for forged. Makes no keys: those of a process alone
    would be known to no worker. Raises ConfigError."""
    path = provenance_keys.path_of(settings)
    if path is None:
        raise ConfigError(
            "Our own events cannot be signed: there are no provenance keys.",
            field=variable("provenance_keys_file"),
            fix="Set AUDITLANE_PROVENANCE_KEYS_FILE to the file that `serve` and the workers use; `auditlane env` "
            "prints that of a local stack.",
        )
    try:
        return provenance_keys.ProvenanceKeys(path).lasting_signer(TRAIL)
    except ConfigError as error:
        raise ConfigError(
            f"Our own events cannot be signed: {error.message}",
            field=variable("provenance_keys_file"),
            fix="Name the file that `serve` and the workers use in AUDITLANE_PROVENANCE_KEYS_FILE.",
        ) from error


def own_schema(registry: RegistryClient, topic: str) -> Registered:
    """The version of the base subject that our own events are written with: the event of this release, else the oldest
    one, which has no field of the environment's. Raises RegistryUnavailable, RegistryRefused."""
    subject = base_subject(topic)
    found = registry.lookup(subject, json.dumps(base_schema()))
    return found or registry.version(subject, registry.versions(subject)[0])


def send_now(settings: Settings, events: Sequence[AuditEvent], wait_s: float) -> tuple[list[AuditEvent], str]:
    """Send events from a short-lived process; returns those that Kafka did not acknowledge in time, and why not."""
    left = {(one.tenant_id, one.event_id): one for one in events}
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
