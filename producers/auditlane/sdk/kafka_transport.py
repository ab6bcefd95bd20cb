"""The transport to Kafka, whose events are Avro, encoded with their tenants' contracts from the schema registry."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditlane.contract.event import AuditEvent
from auditlane.contract.registry import RegistryClient
from auditlane.contract.registry_reader import Observe, Registry
from auditlane.contract.tenants import dedicated_topic, key_of
from auditlane.runtime.errors import EventTooLarge, InvalidEvent, KafkaUnavailable, Unavailable
from auditlane.sdk.config import HTTP_SPOOL, ClientConfig
from auditlane.sdk.delivery import KafkaDelivery
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.json_encoding import JsonEncoder
from auditlane.sdk.plain_encoding import PlainEncoder
from auditlane.sdk.schema_resolver import SchemaMayBeStale, SchemaResolver
from auditlane.sdk.transport import Encoded, OnError, Receiver

if TYPE_CHECKING:
    from auditlane.sdk.delivery_tracker import DeliveryTracker


class KafkaTransport:
    """Encodes events with the contracts in the registry, and delivers them to Kafka. See `Transport`."""

    has_headers = True

    def __init__(self, config: ClientConfig, observe_registry: Observe | None) -> None:
        """Fetch the base contract in the background."""
        self._config = config
        self._observe_registry = observe_registry
        self.unavailable: type[Unavailable] = KafkaUnavailable
        self.plain_topic = "" if config.shards or config.dedicated_tenants else config.topic
        self.spool_dir = config.spool_dir
        self.other_spool_dir = str(Path(config.spool_dir) / HTTP_SPOOL) if config.spool_dir else ""
        self._schemas = SchemaResolver(
            _registry(config, observe_registry),
            topic=config.topic,
            refresh_s=config.registry_refresh_s,
            wait_s=config.registry_wait_ms / 1000,
        )
        self._schemas.prefetch()

    def deliver(self, tracker: DeliveryTracker, on_error: OnError | None, receiver: Receiver | None) -> KafkaDelivery:
        return KafkaDelivery(self._config, tracker, on_error, receiver)

    def encoded(self, values: Mapping[str, Any]) -> Encoded | None:
        tenant = values.get("tenant_id")
        if type(tenant) is not str:
            return None
        encoder = self._schemas.ready(tenant)
        if encoder is None or encoder.plain is None:
            return None
        found = encoder.plain.encode(values, time.time_ns() // 1_000, self._config.max_event_bytes)
        return None if found is None else (tenant, *found)

    def encode_all(self, objects: Sequence[object], defaults: Mapping[str, str]) -> Iterable[Encoded | None]:
        return JsonEncoder(self._plain_encoder, defaults, self._config.max_event_bytes).encode_all(objects)

    def _plain_encoder(self, tenant: str) -> PlainEncoder | None:
        encoder = self._schemas.ready(tenant)
        return None if encoder is None else encoder.plain

    def encode(self, event: AuditEvent, *, may_ask: bool) -> bytes:
        """Return the Kafka value of an event. Before a contract rejects an event, the registry is queried for a newer
        version.

        Raises SchemaMayBeStale if a query is necessary but `may_ask` is false.
        """
        tenant, limit = event.tenant_id, self._config.max_event_bytes
        encoder = self._schemas.encoder(tenant)
        try:
            return encoder.encode(event, limit)
        except EventTooLarge:
            raise
        except InvalidEvent:
            if not may_ask and self._schemas.may_be_stale(tenant):
                raise SchemaMayBeStale from None
            newer = self._schemas.refreshed(tenant, encoder, may_ask=may_ask)
            if newer is None:
                raise
        return newer.encode(event, limit)

    def route(self, tenant: str, event_id: str) -> tuple[str, bytes]:
        """Return the topic and the message key.

        The key is the tenant, followed by the event id's shard if the tenant is sharded. A retry gets the same key.
        """
        config = self._config
        topic = dedicated_topic(config.topic, tenant) if tenant in config.dedicated_tenants else config.topic
        shards = config.shards.get(tenant)
        return topic, key_of(tenant, shards and zlib.crc32(event_id.encode()) % shards)

    def check_prepares(self) -> None:
        """Do nothing: the value of a message may be sent by another process."""

    def knows(self, tenant: str) -> bool:
        return self._schemas.knows(tenant)

    def prefetch(self, tenant: str) -> None:
        self._schemas.prefetch(tenant)

    def encoder(self, tenant: str) -> Encoder:
        return self._schemas.encoder(tenant)

    def own_fields(self, tenant: str) -> frozenset[str]:
        return frozenset(self._schemas.encoder(tenant).own)

    def contract_changed(self, tenant: str | None) -> None:
        self._schemas.forget(tenant)

    def close(self) -> None:
        self._schemas.close()

    def before_fork(self, timeout_s: float) -> None:
        self._schemas.wait_until_idle(timeout_s)

    def after_fork(self, *, closed: bool) -> None:
        if not closed:
            self._schemas.after_fork(_registry(self._config, self._observe_registry))


def _registry(config: ClientConfig, observe: Observe | None) -> Registry:
    return RegistryClient(
        config.registry_url,
        user=config.registry_user,
        password=config.registry_password,
        token=config.registry_token,
        ca=config.registry_ca or None,
        observe=observe,
    )
