"""Tests how one tenant affects others on real services: when it sends rejected events, poison messages or events from
past months, and when inserts for a month fail.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from fixtures.commands import Commands
from fixtures.workers import World, wait_until

from auditlane.contract.provenance import HEADER
from auditlane.contract.schema_guids import HEADER as GUID
from auditlane.contract.wire import frame
from auditlane.local.doctor.host import service
from auditlane.operations.lag import GroupLag

LARGEST = (1 << 31) - 1


def flood(world: World, count: int, *, tenants: int = 1, partition: int = 0) -> None:
    """Produce messages from `tenants` tenants that every worker rejects."""
    for number in range(count):
        world.producer.produce(world.settings.topic, key=f"bad{number % tenants}", value=b"junk", partition=partition)
        world.producer.poll(0)
    assert world.producer.flush(30) == 0


def tenants_stored(world: World) -> Counter[str]:
    rows = world.client.query(f"SELECT tenant_id, count() FROM {world.events} GROUP BY 1").result_rows
    return Counter({str(tenant): int(count) for tenant, count in rows})


def codes(world: World, count: int) -> Counter[str]:
    letters = world.dead_letters(count)
    return Counter(dict(one.headers())["auditlane.error.code"].decode() for one in letters)


def test_rejections_of_one_tenant_never_halt_a_partition_that_others_use(world: World) -> None:
    world.produce(7, partition=0)
    worker = world.worker()
    world.completed()
    flood(world, 1_300)
    world.produce(7, partition=0)
    world.completed()
    assert worker.events("partition.halted") == []
    assert tenants_stored(world) == {f"tenant{number}": 2 for number in range(7)}
    assert codes(world, 1_300) == {"NOT_FRAMED": 1_300}
    assert worker.stop() == 0


def test_a_restarted_worker_does_not_mistake_the_flooding_tenant_for_the_only_one(world: World) -> None:
    world.produce(7, partition=0)
    first = world.worker()
    world.completed()
    assert first.stop() == 0
    flood(world, 1_300)
    second = world.worker()
    world.completed()
    assert second.events("partition.halted") == []
    assert second.stop() == 0


@pytest.mark.parametrize("tenants", [1, 3])
def test_rejections_of_all_or_enough_tenants_still_halt_a_partition(world: World, tenants: int) -> None:
    if tenants > 1:
        world.produce(7, partition=0)
    flood(world, 2_000, tenants=tenants)
    worker = world.worker()
    [halted] = wait_until(lambda: worker.events("partition.halted"), why=worker.tail)
    assert "the circuit breaker" in halted["reason"]
    assert worker.stop() == 0


@pytest.mark.parametrize(
    "schema_id",
    [1 << 31, (1 << 31) + 5, (1 << 32) - 1, LARGEST, 900_000],
    ids=["2^31", "2^31+5", "2^32-1", "2^31-1", "none"],
)
def test_an_unknown_schema_id_blocks_no_tenant(world: World, schema_id: int) -> None:
    world.produce(7, partition=0)
    world.send(frame(schema_id, b"x"))
    world.produce(7, partition=0)
    worker = world.worker()
    world.completed()
    assert sum(tenants_stored(world).values()) == 14
    assert codes(world, 1) == {"SCHEMA_UNKNOWN": 1}
    assert worker.stop() == 0


def test_malformed_messages_become_dead_letters_and_their_neighbours_are_stored(world: World) -> None:
    odd: list[tuple[bytes | None, Any]] = [
        (None, None),
        (None, "tenant0"),
        (b"", "tenant0"),
        (b"\0", "tenant0"),
        (frame(world.schema_id, b""), "tenant0"),
        (frame(world.schema_id, b"\xff" * 100_000), "tenant0"),
        (world.value("tenant0", 1), b""),
        (world.value("tenant0", 1), b"\xff\xfe"),
        (world.value("tenant0", 1), "k" * 200_000),
        (world.value("tenant0", 1), "tenant1"),
    ]
    for value, key in odd:
        world.produce(1, partition=0)
        world.send(value, key=key)
    topic = world.settings.topic
    headers = [(f"h{number}", b"x" * 20_000) for number in range(20)]
    world.producer.produce(topic, key="tenant0", value=b"junk", partition=0, headers=headers)
    world.produce(1, partition=0)
    worker = world.worker()
    world.completed()
    assert sum(tenants_stored(world).values()) == len(odd) + 1
    assert sum(codes(world, len(odd) + 1).values()) == len(odd) + 1
    assert worker.stop() == 0


def largest(world: World, key: bytes, made: Callable[[int], bytes], **headers: bytes) -> list[int]:
    """Send ever larger uncompressed messages, up to the shared topic's limit. Returns the size of each value."""
    options = {"message.max.bytes": 4_000_000, "compression.type": "none"}
    producer = Producer(world.kafka | options)
    taken, low, high = list[int](), 0, 1_200_000
    while not taken or high - low > 16:
        size = (low + high + 1) // 2
        errors: list[Any] = []
        producer.produce(
            world.settings.topic, key=key, value=made(size), partition=0, headers=dict(headers),
            on_delivery=lambda error, _message, errors=errors: errors.append(error),
        )  # fmt: skip
        assert producer.flush(30) == 0
        if errors[0] is None:
            taken.append(size)
            low = size
        else:
            assert errors[0].code() == KafkaError.MSG_SIZE_TOO_LARGE
            high = size - 1
    return taken


def noise(size: int) -> bytes:
    return os.urandom(size)


@pytest.mark.parametrize(
    ("code", "key", "made", "headers"),
    [
        ("NOT_FRAMED", b"acme", lambda size: b"\1" + noise(max(0, size - 1)), {}),
        ("TOO_LARGE", b"acme", lambda size: frame(1, noise(max(0, size - 5))), {}),
        ("TOO_LARGE", b"acme#" + noise(1_000).hex().encode(), lambda size: frame(1, noise(max(0, size - 5))), {}),
        ("TOO_LARGE", b"acme", lambda size: frame(1, noise(max(0, size - 5))), {HEADER: noise(300_000)}),
        ("TOO_LARGE", b"acme", noise, {GUID: b"\1" + noise(16)}),
        ("TENANT_INVALID", noise(700_000), lambda size: frame(1, noise(max(0, size - 5))), {}),
    ],
    ids=["no frame", "a frame", "a long key", "a long signature", "a GUID", "a longer key"],
)
def test_the_largest_message_of_each_form_fits_a_dead_letter(
    world: World, code: str, key: bytes, made: Callable[[int], bytes], headers: dict[str, bytes]
) -> None:
    world.produce(7, partition=0)
    sizes = largest(world, key, made, **headers)
    world.produce(7, partition=0)
    worker = world.worker()
    world.completed()
    assert worker.events("partition.halted") == []
    assert sum(tenants_stored(world).values()) == 14
    letters = world.dead_letters(len(sizes))
    letter_headers = dict(letters[-1].headers())
    assert letter_headers["auditlane.error.code"].decode() == code
    assert [(len(one.value()), len(one.key())) for one in letters] == [(size, len(key)) for size in sizes]
    assert not any("auditlane.cut.bytes" in dict(one.headers()) for one in letters)
    assert worker.stop() == 0


@pytest.mark.parametrize(("most", "kept"), [(None, 65_536), (90_000, 65_536), (20_000, 0)])
def test_an_oversized_dead_letter_is_truncated_and_blocks_no_tenant(
    world: World, commands: Commands, most: int | None, kept: int
) -> None:
    if most is not None:
        changed = ConfigEntry("max.message.bytes", str(most), incremental_operation=AlterConfigOpType.SET)
        topic = ConfigResource(ResourceType.TOPIC, world.settings.dead_letter_topic, incremental_configs=[changed])
        world.admin.incremental_alter_configs([topic])[topic].result(10)
    world.produce(7, partition=0)
    # Data that lz4 cannot compress, and that zstd halves.
    value = frame(world.schema_id, noise(1_000_000).hex().encode())
    producer = Producer(world.kafka | {"message.max.bytes": 4_000_000, "compression.type": "zstd"})
    if most is not None:
        value = value[:1_000_000]
    producer.produce(world.settings.topic, key=b"tenant0", value=value, partition=0)
    for _ in range(60):  # one batch of dead letters, each within the limit
        producer.produce(world.settings.topic, key=b"tenant0", value=noise(1_000), partition=0)
    assert producer.flush(30) == 0
    world.produce(7, partition=0)
    worker = world.worker()
    world.completed()
    assert worker.events("partition.halted") == []
    assert sum(tenants_stored(world).values()) == 14
    [cut] = [one for one in world.dead_letters(61) if "auditlane.cut.bytes" in dict(one.headers())]
    headers = dict(cut.headers())
    assert int(headers["auditlane.cut.bytes"]) == len(value)
    assert headers["auditlane.cut.sha256"].decode() == hashlib.sha256(value).hexdigest()
    assert cut.value() == value[:kept]
    [letter] = [
        json.loads(line)
        for line in commands.text("dlq", "list", "--json").splitlines()
        if len(value) == json.loads(line)["original_bytes"]
    ]
    replayed = commands.run("dlq", "replay", letter["id"], code=3)
    assert replayed["stays"] == {"CUT_OFF": 1}
    assert letter["id"] in replayed["remaining"][0]["reason"]
    assert worker.stop() == 0


def past(months: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=30.42 * months + 1)


def test_events_of_many_past_months_delay_neither_other_partitions_nor_present_months(world: World) -> None:
    """The budgets are small, so that ranges wait long enough for the test to observe it."""
    worker = world.worker(insert_parts_per_second=4, late_parts_per_second=0.2)
    worker.ready()
    for month in range(119):
        value = world.value("mallory", month, occurred_at=past(month))
        world.producer.produce(world.settings.topic, key="mallory", value=value, partition=0)
    world.send(world.value("beside", 1), key="beside")
    world.stored(14)  # the events covered by a minute's burst, and the present months
    world.send(world.value("elsewhere", 1), key="elsewhere", partition=1)
    stored = wait_until(lambda: (found := tenants_stored(world))["elsewhere"] and found, why=worker.tail)
    assert stored["beside"] == 1, "the present months of a range come first"
    assert stored["mallory"] < 119
    worker.kill()
    world.worker(late_parts_per_second=1_000)
    world.completed()
    assert tenants_stored(world) == {"mallory": 119, "beside": 1, "elsewhere": 1}
    assert world.counts() == (121, 121)


@pytest.mark.long  # after a minute, a range is reported as failing
def test_a_refused_month_blocks_neither_partitions_nor_memory_and_is_reported(world: World) -> None:
    old = past(30)
    refuse = f"CHECK NOT throwIf(toYYYYMM(occurred_at) = {old:%Y%m}, 'not this month')"
    world.client.command(f"ALTER TABLE {world.events} ADD CONSTRAINT refused {refuse}")
    worker = world.worker(worker_buffer_bytes=1 << 20)
    worker.ready()
    wide = {"description": "x" * 2_000}
    world.produce(2_000, partition=0, occurred_at=old, **wide)  # four times the memory limit
    wait_until(lambda: worker.events("range.failed"), why=worker.tail)
    world.produce(2_000, partition=1, **wide)
    wait_until(lambda: sum(tenants_stored(world).values()) == 2_000, why=worker.tail)
    at = f"{world.settings.topic}[0]"
    failing = wait_until(lambda: json.loads(worker.get("/health/ready"))["failing"], patience_s=100, why=worker.tail)
    assert failing.keys() == {at}
    assert "not this month" in failing[at]["error"]
    assert datetime.fromisoformat(failing[at]["since"]) <= datetime.now(UTC)
    wait_until(lambda: "auditlane_worker_failing_partitions 1.0" in worker.get("/metrics"), why=worker.tail)
    messages = [one.message for one in service("worker", worker.ready(), world.settings) if at in one.message]
    assert ["not this month" in one for one in messages] == [True]
    lag = GroupLag(world.settings)
    try:
        [row] = wait_until(lambda: [one for one in lag.rows() if one.failing_s], why=worker.tail)
    finally:
        lag.close()
    assert (str(row.partition), "not this month" in row.error) == (at, True)
    assert row.failing_s is not None
    assert row.failing_s >= 60
    world.client.command(f"ALTER TABLE {world.events} DROP CONSTRAINT refused")
    world.completed()
    assert world.counts() == (4_000, 4_000)
    wait_until(lambda: json.loads(worker.get("/health/ready"))["failing"] == {}, why=worker.tail)
    assert worker.stop() == 0
