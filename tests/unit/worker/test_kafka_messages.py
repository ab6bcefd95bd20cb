"""Tests the conversion of Kafka messages to columns per partition. Errors are returned separately, and headers may
contain GUIDs.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from confluent_kafka import KafkaError, Message

from auditlane.contract.kafka_messages import columns_of
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.schema_guids import HEADER, prepend_guid, split_guid
from auditlane.runtime.settings import load
from auditlane.worker.service import policy


def message(number: int, offset: int, key: bytes | None = b"k", value: bytes | None = b"v", error: Any = None) -> Any:
    return Message(
        topic="t", partition=number, offset=offset, timestamp=(1, 1_000 + offset), key=key, value=value, error=error
    )


def test_messages_of_one_partition() -> None:
    found, errors = columns_of([message(3, 7), message(3, 9, None, b"more"), message(3, 10, b"", None)])
    columns = Columns([7, 9, 10], [1_007, 1_009, 1_010], [b"k", None, b""], [b"v", b"more", None])
    assert found == {Partition("t", 3): columns}
    assert errors == []


def test_messages_of_several_partitions_and_errors_between_them() -> None:
    broken = message(0, 1, error=KafkaError(KafkaError._ALL_BROKERS_DOWN))
    found, errors = columns_of([message(0, 5), message(1, 8), broken, message(0, 6)])
    assert found == {
        Partition("t", 0): Columns([5, 6], [1_005, 1_006], [b"k", b"k"], [b"v", b"v"]),
        Partition("t", 1): Columns([8], [1_008], [b"k"], [b"v"]),
    }
    assert errors == [broken]
    assert columns_of([broken]) == ({}, [broken])


def test_a_guid_in_a_header_is_framed_with_its_value_and_restored() -> None:
    guid = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
    named = [(HEADER, b"\x00\x00\x00\x00\x01"), (HEADER, b"\x01" + guid.bytes), ("other", None)]  # the last one counts
    first = Message(topic="t", partition=0, offset=1, timestamp=(1, 1), key=b"k", value=b"datum", headers=named)
    strange = [
        [("other", b"\x01" + guid.bytes)],
        *([(HEADER, content)] for content in (b"\x00" + guid.bytes, b"\x01" + guid.bytes[1:], b"", None, guid.bytes)),
    ]
    others = [
        Message(topic="t", partition=0, offset=2 + at, timestamp=(1, 1), key=b"k", value=b"datum", headers=headers)
        for at, headers in enumerate(strange)
    ]
    found, _ = columns_of([first, *others])
    values = list(found[Partition("t", 0)].values)
    assert split_guid(values[0]) == (b"datum", [(HEADER, b"\x01" + guid.bytes)])
    assert values[1:] == [b"datum"] * len(others)
    assert prepend_guid(None, named) is None
    for value in (None, b"", b"\xffguid", b"\xff", b"\x00\x00\x00\x00\x01datum"):
        assert split_guid(value) == (value, [])
        assert split_guid(prepend_guid(value, named)) == (
            value,
            [] if value is None else [(HEADER, b"\x01" + guid.bytes)],
        )


def test_the_buffer_has_room_for_one_range_more_than_threads() -> None:
    for threads, size in ((1, 32 << 20), (2, 24 << 20), (5, (96 << 20) // 7)):
        made = policy(load(insert_threads=threads))
        assert (made.flights, made.range_bytes) == (threads + 1, size)
