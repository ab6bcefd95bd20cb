"""Tests the SDK with a real broker and a real registry."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from confluent_kafka import KafkaError
from reading import PARTITIONS, create, decode, read, topic_with_schema

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.contract.wire import unframe
from auditlane.local import ports
from auditlane.runtime.errors import BufferFull, ClientClosed, DeliveryFailed, InvalidEvent, KafkaUnavailable
from auditlane.sdk import AuditClient, ClientConfig

AWAY = "127.0.0.1:9"  # the discard port, on which no process listens


@pytest.fixture
def topic(kafka: str, registry: str, unique: str) -> str:
    """Create a topic for this test, and register its base subject."""
    return topic_with_schema(kafka, registry, unique)


@pytest.fixture
def client(kafka: str, registry: str, topic: str) -> Iterator[AuditClient]:
    with AuditClient(kafka_bootstrap=kafka, registry_url=registry, topic=topic) as client:
        yield client


def murmur2(key: bytes) -> int:
    """Return the hash that Kafka's default partitioner computes in Java (org.apache.kafka.common.utils.Utils)."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = key[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_an_event_arrives_unchanged(kafka: str, topic: str, client: AuditClient) -> None:
    event_id = client.emit(
        tenant_id="acme",
        action="document.deleted",
        actor_id="u-1",
        ip="2001:db8::1",
        after={"a": 1},
        metadata={"k": "v"},
    )
    result = client.flush(30)
    assert result
    assert (result.delivered, result.pending, result.failed) == (1, 0, ())
    [message] = read(kafka, topic, 1)
    record = decode(message)
    assert record["event_id"] == event_id
    assert (record["action"], record["actor_id"], record["ip"]) == ("document.deleted", "u-1", "2001:db8::1")
    assert (json.loads(record["after"]), record["metadata"]) == ({"a": 1}, {"k": "v"})
    assert (record["outcome"], record["severity"]) == ("unknown", "Info")


def test_tenants_are_assigned_the_partitions_that_java_clients_choose(
    kafka: str, topic: str, client: AuditClient
) -> None:
    tenants = [f"tenant-{number}" for number in range(40)]
    for tenant in tenants:
        client.emit(tenant_id=tenant, action="a")
    assert client.flush(30)
    for message in read(kafka, topic, len(tenants)):
        assert message.partition() == (murmur2(message.key()) & 0x7FFFFFFF) % PARTITIONS
        assert decode(message)["tenant_id"].encode() == message.key()


def test_a_large_tenant_is_sharded_and_a_resend_goes_to_the_same_partition(
    kafka: str, registry: str, topic: str
) -> None:
    ids = [str(uuid.uuid4()) for _ in range(30)]
    with AuditClient(kafka_bootstrap=kafka, registry_url=registry, topic=topic, shards={"big": 4}) as client:
        for event_id in ids + ids:
            client.emit(tenant_id="big", action="a", event_id=event_id)
    places: dict[str, set[tuple[int, bytes]]] = {}
    for message in read(kafka, topic, 60):
        places.setdefault(decode(message)["event_id"], set()).add((message.partition(), message.key()))
    assert {len(one) for one in places.values()} == {1}
    assert {key for one in places.values() for _, key in one} == {b"big#0", b"big#1", b"big#2", b"big#3"}


def test_a_dedicated_tenants_events_go_to_its_own_topic(kafka: str, registry: str, topic: str) -> None:
    create(kafka, f"{topic}.large")
    options = {"kafka_bootstrap": kafka, "registry_url": registry, "topic": topic}
    with AuditClient(dedicated_tenants={"large"}, **options) as client:
        client.emit(tenant_id="large", action="a")
    assert read(kafka, f"{topic}.large", 1)[0].key() == b"large"


def test_a_tenants_own_contract_is_used_and_its_rules_are_enforced(kafka: str, registry: str, topic: str) -> None:
    schema = base_schema()
    schema["fields"] += [
        {"name": "project", "type": ["null", "string"], "default": None, "maxLength": 5},
        {"name": "amount", "type": ["null", "double"], "default": None},
        {"name": "details", "type": ["null", "string"], "default": None},
    ]
    registrar = RegistryClient(registry)
    own_id = registrar.register(f"{topic}.acme-value", json.dumps(schema))
    registrar.close()
    # The client requests the subjects when it is created, and again later.
    with AuditClient(kafka_bootstrap=kafka, registry_url=registry, topic=topic) as client:
        client.emit(tenant_id="acme", action="a", project="moon", amount=3, details={"k": [1]})
        for wrong, why in (
            ({"project": "too long"}, "at most 5"),
            ({"amount": "3"}, "must be a number"),
            ({"projct": "x"}, "project, amount, details"),
        ):
            with pytest.raises(InvalidEvent, match=why) as caught:
                client.emit(tenant_id="acme", action="a", **wrong)
            assert caught.value.field == next(iter(wrong))
        with pytest.raises(InvalidEvent, match="custom fields: none"):
            client.emit(tenant_id="other", action="a", project="moon")
        assert client.flush(30)
        assert client.stats.rejected == 4
    [message] = read(kafka, topic, 1)
    assert unframe(message.value())[0] == own_id
    record = decode(message, schema)
    assert (record["project"], record["amount"], record["details"]) == ("moon", 3.0, '{"k": [1]}')


def test_a_contract_registered_later_is_fetched_in_the_background(kafka: str, registry: str, topic: str) -> None:
    options: dict[str, Any] = {"kafka_bootstrap": kafka, "registry_url": registry, "topic": topic}
    with AuditClient(registry_refresh_s=0.05, **options) as client:
        client.emit(tenant_id="acme", action="a")
        schema = base_schema()
        schema["fields"].append({"name": "project", "type": ["null", "string"], "default": None})
        registrar = RegistryClient(registry)
        registrar.register(f"{topic}.acme-value", json.dumps(schema))
        registrar.close()
        deadline = time.monotonic() + 20
        while True:
            try:
                client.emit(tenant_id="acme", action="a", project="moon")
                break
            except InvalidEvent:
                assert time.monotonic() < deadline
                threading.Event().wait(0.02)


def test_our_own_tenant_is_reserved(kafka: str, registry: str, topic: str, client: AuditClient) -> None:
    with pytest.raises(InvalidEvent, match="reserved"):
        client.emit(tenant_id="_auditlane", action="a")
    options: dict[str, Any] = {"kafka_bootstrap": kafka, "registry_url": registry, "topic": topic}
    with AuditClient(own_events=True, **options) as ours:
        ours.emit(tenant_id="_auditlane", action="a")
    assert ours.stats.delivered == 1


def test_a_closed_client_raises(client: AuditClient) -> None:
    assert client.close()
    assert client.close(), "closing twice is allowed"
    with pytest.raises(ClientClosed):
        client.emit(tenant_id="acme", action="a")
    with pytest.raises(ClientClosed):
        client.flush()


def test_many_threads_emit_through_one_client(kafka: str, topic: str, client: AuditClient) -> None:
    sent: list[list[str]] = [[] for _ in range(8)]

    def work(mine: list[str]) -> None:
        mine += [client.emit(tenant_id=f"t{number % 7}", action="a") for number in range(250)]
        assert client.flush(30).pending == 0

    threads = [threading.Thread(target=work, args=(mine,)) for mine in sent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = client.stats
    assert (stats.emitted, stats.delivered, stats.failed, stats.pending) == (2000, 2000, 0, 0)
    assert sorted(decode(one)["event_id"] for one in read(kafka, topic, 2000)) == sorted(chain.from_iterable(sent))


def test_emit_and_flush_work_in_an_event_loop(client: AuditClient) -> None:
    async def serve() -> bool:
        client.emit(tenant_id="acme", action="a")
        return bool(await client.aflush(30))

    assert asyncio.run(serve())


def test_a_failed_delivery_is_reported_by_callback_flush_and_counters(kafka: str, registry: str, topic: str) -> None:
    reported: list[tuple[Exception, str | None]] = []
    # Larger than the topic's limit and smaller than the client's, so only the broker rejects it.
    create(kafka, f"{topic}.acme", **{"max.message.bytes": "20000"})
    client = AuditClient(
        kafka_bootstrap=kafka,
        registry_url=registry,
        topic=topic,
        dedicated_tenants={"acme"},
        on_error=lambda error, event_id: reported.append((error, event_id)),
    )
    event_id = client.emit(tenant_id="acme", action="a", description=os.urandom(50_000).hex())
    result = client.flush(30)
    assert not result
    assert (result.failed_count, [one.event_id for one in result.failed]) == (1, [event_id])
    with pytest.raises(DeliveryFailed, match=r"max\.message\.bytes"):
        result.raise_for_failure()
    assert [one for _, one in reported] == [event_id]
    assert client.stats.failed == 1
    assert client.emit(tenant_id="acme", action="a")
    assert client.close()


def test_each_event_that_was_not_delivered_is_reported_with_its_id_and_tenant(registry: str, topic: str) -> None:
    """Events that share a delivery report are included. Their id and tenant are found in the message."""
    reported: list[str | None] = []
    client = AuditClient(
        kafka_bootstrap=AWAY, registry_url=registry, topic=topic, on_error=lambda _, event_id: reported.append(event_id)
    )
    sent = [(tenant, client.emit(tenant_id=tenant, action="a")) for tenant in ("acme", "acme", "globe", "globe")]
    again = client.flush(0)  # starts a new epoch
    sent += [(tenant, client.emit(tenant_id=tenant, action="ä")) for tenant in ("acme", "globe")]
    result = client.close(timeout=0)
    assert again.pending == 4
    assert sorted((one.tenant_id, one.event_id) for one in result.failed) == sorted(sent)
    assert sorted(filter(None, reported)) == sorted(event_id for _, event_id in sent)
    assert (client.stats.pending, client.stats.pending_bytes) == (0, 0)


def test_kafka_down_at_start_buffers_and_logs_a_fix(registry: str, topic: str) -> None:
    reported: list[Exception] = []
    client = AuditClient(
        kafka_bootstrap=AWAY, registry_url=registry, topic=topic, on_error=lambda error, _: reported.append(error)
    )
    client.emit(tenant_id="acme", action="a")
    deadline = time.monotonic() + 20
    result = client.flush(0.2)
    while result.problem is None:
        assert time.monotonic() < deadline
        result = client.flush(0.2)
    assert result.pending == 1
    with pytest.raises(KafkaUnavailable, match="AUDITLANE_KAFKA_BOOTSTRAP"):
        result.raise_for_failure()
    closed = client.close(timeout=0)
    assert (closed.failed_count, closed.pending) == (1, 0)
    assert isinstance(closed.failed[0].error, KafkaUnavailable)
    assert all(isinstance(one, KafkaUnavailable) for one in reported)


def test_buffered_events_are_delivered_once_kafka_starts(kafka: str, registry: str, topic: str) -> None:
    """A forwarded port simulates a broker that starts late. Until then, events wait in the buffer."""
    [port] = ports.free(1)
    client = AuditClient(
        kafka_bootstrap=f"127.0.0.1:{port}", registry_url=registry, topic=topic, on_error=lambda *_: None
    )
    client.emit(tenant_id="acme", action="a")
    assert client.flush(0.3).pending == 1
    host, _, there = kafka.partition(":")
    server = forward(port, host, int(there))
    try:
        assert client.flush(60)
    finally:
        client.close()
        server.close()


def forward(port: int, host: str, there: int) -> Any:
    """Forward connections from a port on the loopback interface until the returned listener is closed."""
    listener = socket.create_server(("127.0.0.1", port))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for connection in (source, sink):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()

    def serve() -> None:
        while True:
            try:
                on_loopback, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection((host, there))
            for pair in ((on_loopback, far), (far, on_loopback)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return listener


def test_a_full_buffer_is_reported_and_the_event_not_accepted(registry: str, topic: str) -> None:
    client = AuditClient(
        kafka_bootstrap=AWAY, registry_url=registry, topic=topic, buffer_bytes=100_000, on_error=lambda *_: None
    )
    taken = 0
    with pytest.raises(BufferFull, match="AUDITLANE_BUFFER_BYTES"):
        while True:
            client.emit(tenant_id="acme", action="a", description="x" * 9_000)
            taken += 1
            assert taken < 100
    assert 5 <= taken <= 20
    assert (client.stats.emitted, client.stats.pending, client.stats.buffer_full) == (taken, taken, 1)
    assert client.close(timeout=0).failed_count == taken


def test_emit_waits_for_buffer_space_if_permitted(kafka: str, registry: str, topic: str) -> None:
    options: dict[str, Any] = {"kafka_bootstrap": kafka, "registry_url": registry, "topic": topic}
    with AuditClient(buffer_bytes=50_000, max_block_ms=30_000, **options) as client:
        for _ in range(100):
            client.emit(tenant_id="acme", action="a", description="x" * 9_000)
    assert client.stats.delivered == 100


def test_a_fatal_producer_error_is_reported_and_the_producer_replaced(client: AuditClient) -> None:
    client.emit(tenant_id="acme", action="a")
    assert client.flush(30)
    first = client._publisher._delivery
    assert first is not None
    first._on_kafka_error(KafkaError(KafkaError.INVALID_PRODUCER_EPOCH, "fenced", fatal=True))
    client.emit(tenant_id="acme", action="a")
    assert client._publisher._delivery is not first
    assert client.flush(30)
    assert (client.stats.delivered, client.stats.producer_restarts) == (2, 1)


def test_base_events_equal_a_stock_avro_serializers(kafka: str, registry: str, topic: str, client: AuditClient) -> None:
    """For the same record, the SDK's message is byte for byte the same as that of Confluent's own serializer."""
    serializers = pytest.importorskip("confluent_kafka.schema_registry.avro")
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.serialization import MessageField, SerializationContext

    from auditlane.sdk import AuditEvent

    event = AuditEvent(tenant_id="acme", action="Login", actor_id="u-1", ip="192.0.2.7", metadata={"k": "v"})
    client.emit(event)
    assert client.flush(30)
    [message] = read(kafka, topic, 1)
    with SchemaRegistryClient({"url": registry}) as stock:
        serializer = serializers.AvroSerializer(stock, json.dumps(base_schema()), conf={"auto.register.schemas": False})
        assert serializer(event.record(), SerializationContext(topic, MessageField.VALUE)) == message.value()


def script(text: str, config: ClientConfig) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AUDITLANE_")} | {
        "AUDITLANE_KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "AUDITLANE_REGISTRY_URL": config.registry_url,
        "AUDITLANE_TOPIC": config.topic,
    }
    return subprocess.run([sys.executable, "-c", text], env=environ, capture_output=True, text=True, timeout=90)


def test_events_are_flushed_at_exit(kafka: str, topic: str, client: AuditClient) -> None:
    text = "from auditlane.sdk import AuditClient\nprint(AuditClient().emit(tenant_id='acme', action='a'))"
    done = script(text, client.config)
    assert done.returncode == 0, done.stderr
    assert decode(read(kafka, topic, 1)[0])["event_id"] == done.stdout.strip()


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")
from auditlane.sdk import AuditClient
client = AuditClient()
client.emit(tenant_id="acme", action="parent-before")
pid = os.fork()
client.emit(tenant_id="acme", action="parent-after" if pid else "child")
assert client.stats.producer_restarts == (0 if pid else 1)
if pid:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
sys.exit(0 if client.flush(30) else 3)
"""


def test_a_forked_child_gets_its_own_producer(kafka: str, topic: str, client: AuditClient) -> None:
    done = script(FORK, client.config)
    assert done.returncode == 0, done.stderr
    actions = sorted(decode(one)["action"] for one in read(kafka, topic, 3))
    assert actions == ["child", "parent-after", "parent-before"]
