"""Registers the custom fields and stores the history. Only missing events are sent, so that each event is stored once.

A demo that was killed halfway can therefore be run again.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, Final, TypeVar

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from auditlane.contract import librdkafka
from auditlane.contract.event import AuditEvent
from auditlane.contract.kafka_client import client_config
from auditlane.contract.tenants import key_of
from auditlane.contract.wire import unframe
from auditlane.local.demo.fields import FIELDS
from auditlane.query.structure.contract_repository import contract_repository_of
from auditlane.query.structure.service import FieldChange, StructureService
from auditlane.runtime.errors import BufferFull, DeliveryFailed, KafkaUnavailable, Unavailable
from auditlane.runtime.settings import Settings
from auditlane.sdk import AuditClient
from auditlane.store.client import LazyClient, connect, store_errors

_AUTHOR: Final = "demo"
_RETRY_S: Final = 1.0
_POLL_S: Final = 0.25
_TIMEOUT_S: Final = 10.0
T = TypeVar("T")


def ensure(settings: Settings, events: Sequence[AuditEvent], logger: Any) -> int:
    """Register the custom fields, send missing events, and wait until all are stored. Returns the number of events.

    Waits while a component of the stack is unavailable.
    """
    _until_available(lambda: register_fields(settings), logger)
    wanted = {event.event_id for event in events}
    tenants = sorted({event.tenant_id for event in events})
    stored = _until_available(lambda: stored_ids(settings, tenants), logger)
    if missing := wanted - stored:
        logger.info("history.importing", events=len(missing))
        _until_available(lambda: send(settings, events, stored), logger)
    while not wanted <= stored:
        time.sleep(_POLL_S)
        stored = _until_available(lambda: stored_ids(settings, tenants), logger)
    return len(wanted)


def send(settings: Settings, events: Sequence[AuditEvent], stored: frozenset[str]) -> None:
    """Emit events that are neither `stored` nor in Kafka. Returns once Kafka has acknowledged them."""
    present = stored | ids_in_kafka(settings, {event.tenant_id for event in events})
    with AuditClient(url="", max_block_ms=60_000, close_timeout_s=5) as client:
        for event in sorted(events, key=lambda event: event.occurred_at):
            if event.event_id not in present:
                client.emit(event)
        client.flush(client.config.delivery_timeout_ms / 1000 + 5).raise_for_failure()


def register_fields(settings: Settings) -> None:
    """Add the fields that a tenant does not have yet. Changed or removed fields stay unchanged.

    Raises the errors of the registry and the store.
    """
    store = LazyClient(lambda: connect(settings))
    try:
        service = StructureService(store.client, settings.clickhouse_database, contract_repository_of(settings))
        for tenant, fields in FIELDS.items():
            present = service.state(tenant).fields
            for field in fields:
                if field.name not in present:
                    view = {"display_name": field.label, "show_in_table": field.in_table}
                    change = FieldChange(field.name, field.type, field.default, field.rules, view=view)
                    service.add(tenant, change, etags=None, who=_AUTHOR)
    finally:
        store.close()


def stored_ids(settings: Settings, tenants: Sequence[str]) -> frozenset[str]:
    """Return the ids of the tenants' stored events."""
    client = connect(settings)
    try:
        with store_errors():
            log = f"{settings.clickhouse_database}.log"  # an identifier, as the setting's pattern ensures
            query = "SELECT toString(event_id) FROM " + log + " WHERE tenant_id IN {tenants:Array(String)}"  # noqa: S608
            return frozenset(row[0] for row in client.query(query, {"tenants": tenants}).result_rows)
    finally:
        client.close()


def ids_in_kafka(settings: Settings, tenants: set[str]) -> frozenset[str]:
    """Read the shared topic to its end, and return the ids of the tenants' events. Raises KafkaUnavailable."""
    options: dict[str, Any] = {
        "group.id": f"auditlane-demo-{uuid.uuid4()}",
        **librdkafka.CONSUMER,
        "enable.partition.eof": True,
    }
    consumer: Consumer = librdkafka.client(Consumer, client_config(settings, **options))
    keys = {key_of(tenant) for tenant in tenants}
    found: set[str] = set()
    try:
        partitions = consumer.list_topics(settings.topic, timeout=_TIMEOUT_S).topics[settings.topic].partitions
        consumer.assign([TopicPartition(settings.topic, partition, OFFSET_BEGINNING) for partition in partitions])
        ended: set[int | None] = set()
        deadline = time.monotonic() + _TIMEOUT_S
        while len(ended) < len(partitions):
            messages = consumer.consume(1_000, timeout=_POLL_S)
            if messages:
                deadline = time.monotonic() + _TIMEOUT_S
            elif time.monotonic() > deadline:
                raise KafkaUnavailable("Kafka stopped responding.", fix="Check AUDITLANE_KAFKA_BOOTSTRAP.")
            for message in messages:
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name
                    ended.add(message.partition())
                elif error is None and message.key() in keys and (event_id := _event_id(message.value())):
                    found.add(event_id)
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not respond: {error.args[0].str()}.") from error
    finally:
        consumer.close()
    return frozenset(found)


def _event_id(value: bytes | None) -> str | None:
    """Return the record's first field, which is the event id in every schema version. Returns None if the message is
    not an event."""
    try:
        return str(fastavro.schemaless_reader(BytesIO(unframe(value or b"")[1]), "string", None))
    except (ValueError, EOFError, IndexError):
        return None


def _until_available(step: Callable[[], T], logger: Any) -> T:
    while True:
        try:
            return step()
        except (Unavailable, BufferFull, DeliveryFailed) as error:
            logger.warning("demo.waiting", reason=str(error))
            time.sleep(_RETRY_S)
