"""The sample's events into the stack, each once: only what neither the store nor Kafka has is sent.

So a demo that was killed half-way, and is run again, doubles nothing.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from importlib.resources import as_file, files
from io import BytesIO
from typing import Any, Final, TypeVar

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from auditlane.contract import librdkafka
from auditlane.contract.kafka_client import client_config
from auditlane.contract.tenants import key_of
from auditlane.contract.wire import unframe
from auditlane.importer.cloudtrail import CloudTrail
from auditlane.importer.run import run
from auditlane.importer.sources import opened
from auditlane.runtime.errors import BufferFull, DeliveryFailed, KafkaUnavailable, Unavailable
from auditlane.runtime.settings import Settings
from auditlane.sdk import AuditClient
from auditlane.store.client import connect, store_errors

_RETRY_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.25
_TIMEOUT_S: Final = 10.0
T = TypeVar("T")


def ensure(settings: Settings, tenant: str, logger: Any) -> int:
    """Send what is missing of the sample and wait until the store holds all of it; returns how many events that is."""
    with as_file(files(__package__) / "events.jsonl.gz") as path:
        wanted = event_ids(str(path))
        stored = _patiently(lambda: _stored(settings, tenant), logger)
        if missing := wanted - stored:
            logger.info("sample.importing", missing=len(missing))
            _patiently(lambda: _send(settings, tenant, str(path), stored), logger)
    while not wanted <= stored:
        threading.Event().wait(_LOOK_EVERY_S)
        stored = _patiently(lambda: _stored(settings, tenant), logger)
    return len(wanted & stored)


def event_ids(path: str) -> frozenset[str]:
    """The ids of the sample's events."""
    reading = CloudTrail()
    with opened(path) as source:
        return frozenset(reading.event(item).event_id for item in reading.items(source))


def _send(settings: Settings, tenant: str, path: str, stored: frozenset[str]) -> None:
    known = stored | in_kafka(settings, tenant)
    with opened(path) as source, AuditClient(max_block_ms=60_000, close_timeout_s=5) as client:
        run(source, CloudTrail(), client, known=known)


def _stored(settings: Settings, tenant: str) -> frozenset[str]:
    client = connect(settings)
    try:
        with store_errors():
            log = f"{settings.clickhouse_database}.log"  # an identifier, by the settings' pattern
            query = "SELECT toString(event_id) FROM " + log + " WHERE tenant_id = {tenant:String}"  # noqa: S608
            return frozenset(row[0] for row in client.query(query, {"tenant": tenant}).result_rows)
    finally:
        client.close()


def in_kafka(settings: Settings, tenant: str) -> frozenset[str]:
    """The ids of the tenant's events on the shared topic, read to its end. Raises KafkaUnavailable."""
    options: dict[str, Any] = {
        "group.id": f"auditlane-demo-{uuid.uuid4()}",
        **librdkafka.CONSUMER,
        "enable.partition.eof": True,
    }
    consumer: Consumer = librdkafka.client(Consumer, client_config(settings, **options))
    key = key_of(tenant)
    found: set[str] = set()
    try:
        partitions = consumer.list_topics(settings.topic, timeout=_TIMEOUT_S).topics[settings.topic].partitions
        consumer.assign([TopicPartition(settings.topic, one, OFFSET_BEGINNING) for one in partitions])
        ended: set[int | None] = set()
        give_up = time.monotonic() + _TIMEOUT_S
        while len(ended) < len(partitions):
            messages = consumer.consume(1_000, timeout=_LOOK_EVERY_S)
            if messages:
                give_up = time.monotonic() + _TIMEOUT_S
            elif time.monotonic() > give_up:
                raise KafkaUnavailable("Kafka went silent.", fix="Check AUDITLANE_KAFKA_BOOTSTRAP.")
            for message in messages:
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's name
                    ended.add(message.partition())
                elif error is None and message.key() == key and (event_id := _event_id(message.value())):
                    found.add(event_id)
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not answer: {error.args[0].str()}.") from error
    finally:
        consumer.close()
    return frozenset(found)


def _event_id(value: bytes | None) -> str | None:
    """The first field of the record, whichever version it was written with; None for what is no event."""
    try:
        return str(fastavro.schemaless_reader(BytesIO(unframe(value or b"")[1]), "string", None))
    except (ValueError, EOFError, IndexError):
        return None


def _patiently(step: Callable[[], T], logger: Any) -> T:
    """Do it again for as long as a part is away."""
    while True:
        try:
            return step()
        except (Unavailable, BufferFull, DeliveryFailed) as error:
            logger.warning("sample.waiting", reason=str(error))
            threading.Event().wait(_RETRY_S)
