# ruff: noqa: E501 (one case a line)
"""Tests that the real engine stores the events that the validator accepts unchanged. No value is clamped, nulled or
misread.
"""

from __future__ import annotations

import ipaddress
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cloudtrail_records import REAL, lines, needs_real
from validating import NOW_MS, TOPIC, base_registry, contract, message, own, raw_range

from auditlane.contract.event import parse_ip
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.importer.cloudtrail import CloudTrail
from auditlane.importer.sources import opened
from auditlane.runtime import settings as settings_
from auditlane.store import migrate, preflight
from auditlane.store.client import connect
from auditlane.store.event_insert import EncodedBatch, Writer, columns_to_send
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW_US = NOW_MS * 1000
DAY_US = 86_400_000_000
TIME = {"type": "long", "logicalType": "timestamp-micros"}
RICH = contract(
    own("text", "string"), own("ok", "boolean"), own("count", "int"), own("big", "long"), own("cost", "float"),
    own("rate", "double"), own("tier", {"type": "enum", "name": "Tier", "symbols": ["a", "b"]}), own("due", TIME),
    exclusive=False,
)  # fmt: skip
REGISTRY = base_registry()
RICH_ID = REGISTRY.register(f"{TOPIC}.acme-value", RICH)


@pytest.fixture
def client(clickhouse: str, unique: str) -> Any:
    client = connect(settings_.load(clickhouse_url=clickhouse, clickhouse_database=unique))
    migrate.migrate(client, unique)
    return client


def stored_as_judged(client: Any, database: str, raw: RawRange) -> int:
    """Validate and insert messages, read them back, and compare every column. Returns the number of rows."""
    validator = BatchValidator(SchemaCache(REGISTRY, topic=TOPIC, refresh_s=30), topic=TOPIC, max_event_bytes=524_288)
    result = validator.validate(raw, ingested_at_ms=NOW_MS + 1)
    assert result.rejected == []
    expected: list[dict[str, Any]] = []
    writer = Writer(client, preflight.check(client, database, EVENTS.names, parts_per_second=1))
    columns = Columns(raw.offsets, raw.timestamps_ms, raw.keys, raw.values)
    partition = Partition(raw.topic, raw.partition)
    range_ = Range(partition, raw.topic_id, raw.offsets[0], raw.offsets[-1], columns, "", assignment_epoch=1)
    for month, table in result.rows.items():
        assert table.schema.equals(EVENTS)
        writer.insert(range_, month, EncodedBatch(columns_to_send(table, range_)))
        expected += table.to_pylist()
    names = ", ".join(
        f"toString({name})" if name in ("event_id", "ip", "kafka_topic_id") else
        f"toUnixTimestamp64Micro({name})" if name == "occurred_at" else
        f"toUnixTimestamp64Milli({name})" if name in ("ingested_at", "kafka_timestamp") else
        f"CAST({name}, 'Array(Tuple(String, String))')" if name in ("metadata", "fields") else
        f"toString({name})" if name in ("outcome", "severity") else name
        for name in EVENTS.names
    )  # fmt: skip
    found = client.query(f"SELECT {names} FROM {database}.events ORDER BY kafka_offset").result_rows
    assert len(found) == len(expected) == len(raw.values)
    expected.sort(key=lambda row: row["kafka_offset"])
    for row, want in zip(found, expected, strict=True):
        got = dict(zip(EVENTS.names, row, strict=True))
        assert str(UUID(got["event_id"])) == want["event_id"]
        assert (got["ip"] is None) == (want["ip"] is None)
        if want["ip"] is not None:
            assert address(got["ip"]) == address(want["ip"])
        assert EPOCH + timedelta(microseconds=got["occurred_at"]) == want["occurred_at"]
        for name in ("ingested_at", "kafka_timestamp"):
            assert EPOCH + timedelta(milliseconds=got[name]) == want[name]
        for name in set(EVENTS.names) - {"event_id", "ip", "occurred_at", "ingested_at", "kafka_timestamp"}:
            assert got[name] == want[name], name
    return len(found)


def address(text: str) -> ipaddress.IPv6Address:
    """Return an address as the table stores it, with IPv4 mapped to IPv6."""
    parsed = ipaddress.ip_address(text)
    return parsed if isinstance(parsed, ipaddress.IPv6Address) else ipaddress.IPv6Address(f"::ffff:{parsed}")


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=needs_real)])
def test_cloudtrail_records_are_stored_whole(client: Any, unique: str, real: bool, tmp_path: Path) -> None:
    path = tmp_path / "trail.jsonl"
    path.write_bytes(lines(2_000))
    with opened(str(REAL if real else path)) as source:
        cloudtrail = CloudTrail()
        events = [cloudtrail.event(item) for item in cloudtrail.items(source)]
    values = [
        message(**event.record() | {"occurred_at": (event.occurred_at - EPOCH) // timedelta(microseconds=1)})
        for event in events
    ]
    raw = raw_range(list(values), [event.tenant_id.encode() for event in events])
    assert stored_as_judged(client, unique, raw) == len(events) == 2_000


def rich(**values: Any) -> bytes:
    return message(
        RICH_ID, RICH, **dict.fromkeys(("text", "ok", "count", "big", "cost", "rate", "tier", "due")) | values
    )


TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "😀" * 100,
    "\ud7ff\ue000\U0010ffff",
    "null",
    "\\N",
    "'; DROP",
    "\t\n\r",
    "e\u0301",
    "\ufeff",
    "x" * 400_000,
]
ADDRESSES = [
    None, "", "0.0.0.0", "1.2.3.4", "255.255.255.255", "::", "::1", "::ffff:1.2.3.4", "::FFFF:102:304", "::1.2.3.4", "2001:db8::1",
    "2001:DB8:0:0:0:0:0:1", "2001:0db8:0000:0000:0000:0000:0000:0001", "fe80::1", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
    "64:ff9b::192.0.2.33", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0:0:0:0:0:0:13.1.68.3",
]  # fmt: skip
YEAR_END = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
TIMES = [
    NOW_US, NOW_US + 1, NOW_US + 999_999, NOW_US + DAY_US, NOW_US - 3_653 * DAY_US, YEAR_END, YEAR_END - 1,
    YEAR_END + 59 * DAY_US - 1, YEAR_END - 306 * DAY_US - 1,
]  # fmt: skip


def test_extremes_are_stored_as_they_were_sent(client: Any, unique: str) -> None:
    values: list[bytes | None] = [
        *(
            message(
                action=text or "a", actor_id=text, actor_type=text, actor_name=text, on_behalf_of=text, resource=text,
                resource_id=text, description=text[:1000], user_agent=text[:1000], request_id=text[:1000], before=text[:1000],
                after=text[:1000], source=text[:1000], metadata={text[:1000]: text[:1000], "other": ""},
            )
            if len(text) < 1000 else message(description=text)
            for text in TEXTS
        ),
        *(message(ip=ip) for ip in ADDRESSES),
        *(message(occurred_at=at) for at in TIMES),
        *(message(outcome=one) for one in ("unknown", "success", "failure", "denied")),
        *(message(severity=one) for one in ("Info", "Low", "Medium", "High", "Critical", "Error")),
        message(event_id="FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
        message(event_id="00000000-0000-0000-0000-000000000000"),
        message(metadata={}),
        message(metadata={f"key {number}": f"{number}" for number in range(20_000)}),
        rich(),
        *(rich(text=text) for text in TEXTS[:-1]),
        *(rich(ok=ok) for ok in (True, False)),
        *(rich(big=big, count=count) for big, count in ((2**63 - 1, 2**31 - 1), (-(2**63), -(2**31)), (0, 0))),
        *(rich(rate=rate, cost=0.1) for rate in (0.1, 1e308, 5e-324, -0.0, float("nan"), float("inf"))),
        *(rich(due=due) for due in (0, -1, -62_167_219_200_000_000, 253_402_300_799_999_999)),
        rich(tier="b"),
    ]  # fmt: skip
    stored_as_judged(client, unique, raw_range(values))
    fields = client.query(
        f"SELECT DISTINCT fields['due'] FROM {unique}.events WHERE mapContains(fields, 'due')"
    ).result_rows
    assert sorted(fields) == [
        ("0000-01-01T00:00:00.000000Z",), ("1969-12-31T23:59:59.999999Z",), ("1970-01-01T00:00:00.000000Z",), ("9999-12-31T23:59:59.999999Z",),
    ]  # fmt: skip


def test_every_accepted_address_is_stored(client: Any, unique: str) -> None:
    """The engine silently converts text that it cannot parse to NULL, so its parser and auditlane's must agree."""
    chance = random.Random(5)
    texts = []
    for _ in range(3_000):
        groups = [
            f"{chance.choice([0, 0, 1, 0xABC, chance.getrandbits(16)]):{chance.choice(['x', 'X', '04x'])}}"
            for _ in range(8)
        ]
        if chance.random() < 0.6:
            at, length = chance.randrange(8), chance.randrange(1, 8)
            head, tail = groups[:at], groups[at + length :]
            texts.append(":".join(head) + "::" + ":".join(tail))
        elif chance.random() < 0.3:
            texts.append(":".join(groups[:6]) + ":" + ".".join(str(chance.choice([0, 9, 10, 255])) for _ in range(4)))
        else:
            texts.append(":".join(groups))
    stored_as_judged(client, unique, raw_range([message(ip=text) for text in texts]))


def spread(total: int, parts: int, most: int, piece: str) -> list[str]:
    """Split `total` characters into `parts` pieces of about the same length.

    Returns an empty list if `most` makes that impossible.
    """
    if not parts <= total <= parts * most:
        return []
    return [piece[: total // parts + (at < total % parts)] for at in range(parts)]


def addresses(length: int) -> list[str]:
    """Return addresses in every notation whose text has this length."""
    found: list[str] = []
    found += ".".join(spread(length - 3, 4, 3, "101")), ":".join(spread(length - 7, 8, 4, "1abc"))
    for before in range(8):
        for after in range(8 - before):
            groups = spread(length - 2 - max(before - 1, 0) - max(after - 1, 0), before + after, 4, "2def")
            found.append(":".join(groups[:before]) + "::" + ":".join(groups[before:]))
    for dotted in ("1.2.3.4", "10.20.30.40", "192.168.100.200"):
        found.append(":".join([*spread(length - 6 - len(dotted), 6, 4, "0fed"), dotted]))
        found += f"::ffff:{dotted}", f"64:ff9b::{dotted}", f"::{dotted}"
    return [one for one in dict.fromkeys(found) if len(one) == length and parse_ip(one)]


def test_addresses_of_every_length_alone_and_mixed(client: Any, unique: str) -> None:
    """By default, ClickHouse parses a column in which every string is 16 bytes long as binary addresses."""
    every = {length: addresses(length) for length in range(2, 46)}
    assert all(every.values())
    mixed = [one for alone in every.values() for one in alone]
    odd = ["2001:db8:1:2::10", None, "::ffff:127.0.0.1", ""]
    for texts in (*every.values(), mixed, odd):
        client.command(f"TRUNCATE TABLE {unique}.events")
        raw = raw_range([message(ip=text) for text in texts])
        stored_as_judged(client, unique, replace(raw, topic_id=str(uuid4())))
