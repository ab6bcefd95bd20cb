"""Tests which events the store considers identical. Only the producer's values matter, not the route by which the event
arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from validating import NOW_MS, TOPIC, base_registry, contract, message, own, raw_range

from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.provenance import FILLABLE, Key, signer
from auditlane.operations.stored_events import StoredEvents
from auditlane.runtime import settings as settings_
from auditlane.store import event_insert, migrate, preflight
from auditlane.store.client import connect
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

KEY = Key("k", b"s" * 32)
NOW_US = NOW_MS * 1000
TIME = {"type": "long", "logicalType": "timestamp-micros"}
TIER = {"type": "enum", "name": "Tier", "symbols": ["a", "b"]}
OWN = [
    own("text", "string"), own("ok", "boolean"), own("count", "int"), own("big", "long"), own("cost", "float"),
    own("rate", "double"), own("tier", TIER), own("due", TIME),
]  # fmt: skip
RICH = contract(*OWN, exclusive=False)
# A later version with an added field. The field's default applies to every event that does not set it.
LATER = contract(*OWN, {"name": "plan", "type": ["string", "null"], "default": "free"}, exclusive=False)
REGISTRY = base_registry()
RICH_ID = REGISTRY.register(f"{TOPIC}.acme-value", RICH)
LATER_ID = REGISTRY.register(f"{TOPIC}.acme-value", LATER)
Sent = tuple[bytes, bytes | None]  # a message's value and signature
SET: dict[str, Any] = dict.fromkeys(one["name"] for one in OWN)


class Store:
    """A table, and a worker that inserts each message separately."""

    def __init__(self, url: str, database: str) -> None:
        self.client = connect(settings_.load(clickhouse_url=url, clickhouse_database=database))
        migrate.migrate(self.client, database)
        self.database, self.topic_id, self.at = database, str(uuid4()), 0
        self.table = preflight.check(self.client, database, EVENTS.names, parts_per_second=1)
        schemas = SchemaCache(REGISTRY, topic=TOPIC, refresh_s=30)
        self.validate = BatchValidator(
            schemas, topic=TOPIC, max_event_bytes=524_288, secrets=lambda: {KEY.kid: KEY.secret}
        )

    def rows(self, sent: Sequence[Sent], topic: str = TOPIC) -> Any:
        values, signatures = [value for value, _ in sent], [signature for _, signature in sent]
        raw = raw_range(values, first=self.at, signatures=signatures, topic=topic)
        result = self.validate.validate(raw, ingested_at_ms=NOW_MS)
        assert not result.rejected, result.rejected[0].message
        [(month, rows)] = result.rows.items()
        return month, rows

    def take(self, value: bytes, signature: bytes | None = None, topic: str = TOPIC) -> None:
        self.take_all([(value, signature)], topic)

    def take_all(self, sent: Sequence[Sent], topic: str = TOPIC) -> None:
        month, rows = self.rows(sent, topic)
        last = self.at + len(sent) - 1
        columns = Columns([self.at, last], [NOW_MS] * 2, [b"acme"] * 2, [b""] * 2)
        range_ = Range(Partition(topic, 3), self.topic_id, self.at, last, columns, "", assignment_epoch=1)
        event_insert.Writer(self.client, self.table).insert(
            range_, month, event_insert.EncodedBatch(event_insert.columns_to_send(rows, range_))
        )
        self.at = last + 1

    def log(self, columns: str = "action") -> list[Any]:
        query = f"SELECT {columns} FROM `{self.database}`.log ORDER BY kafka_offset"
        return [row[0] if len(row) == 1 else row for row in self.client.query(query).result_rows]


@pytest.fixture
def store(clickhouse: str, unique: str) -> Store:
    return Store(clickhouse, unique)


def rich(schema_id: int = RICH_ID, schema: Any = RICH, **values: Any) -> bytes:
    return message(schema_id, schema, **SET | values)


def through_gateway(value: bytes, client: str, *filled: str) -> Sent:
    return value, signer(KEY, client, filled)(b"acme", value)[1]


def test_an_exact_copy_is_the_same_event_wherever_it_comes_from(store: Store) -> None:
    value, signature = through_gateway(message(), "billing")
    store.take(value, signature)
    store.take(value, signature)
    store.take(value, topic=f"{TOPIC}.acme")
    store.take(value, signature, topic=f"{TOPIC}.acme")
    assert store.log("provenance, provenance_id, kafka_topic") == [("gateway", "billing", TOPIC)]


def test_a_retry_by_another_route_is_the_same_event(store: Store) -> None:
    """The event is sent with the SDK, and through the gateway with two keys. The gateway adds the key's name and the
    request's id.
    """
    store.take(*through_gateway(message(source="key-1", request_id="r-1"), "key-1", "source", "request_id"))
    store.take(*through_gateway(message(source="key-2", request_id="r-2"), "key-2", "source", "request_id"))
    store.take(message())
    store.take(*through_gateway(message(request_id="r-3"), "key-3", "request_id"))
    assert store.log("source, provenance_id") == [("key-1", "key-1")]


def test_producer_values_are_distinguished_from_those_of_the_gateway(store: Store) -> None:
    store.take(*through_gateway(message(source="key-1"), "key-1", "source"))
    store.take(*through_gateway(message(source="key-1"), "key-1"))
    store.take(message(source="key-2"))
    assert store.log("source, provenance") == [("key-1", "gateway"), ("key-1", "gateway"), ("key-2", "kafka")]


def test_another_version_of_the_contract_does_not_make_another_event(store: Store) -> None:
    store.take(rich(text="t"))
    store.take(rich(LATER_ID, LATER, text="t", plan="free"))
    store.take(rich(LATER_ID, LATER, text="t", plan=None))
    assert len(store.log()) == 1
    store.take(rich(LATER_ID, LATER, text="t", plan="pro"))
    assert len(store.log()) == 2


_TEXTS = ("", "x", "X", " x", "x\0", "NULL", "\\N", "ü")
_OTHER: dict[str, tuple[Any, ...]] = {
    "action": ("b", "A", "a ", "a\0"),
    "outcome": ("success", "failure", "denied"),
    "severity": ("Low", "Medium", "High", "Critical", "Error"),
    "ip": (None, "10.0.0.2", "::1"),
    "user_agent": ("x", "x "),
    "metadata": ({}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": ""}, {"a": "", "1": ""}, {"a1": ""}, {"": "a1"}),
    "text": ("", "x", None), "ok": (False, True), "count": (0, 1), "big": (0, 2**63 - 1), "cost": (0.5, -0.5),
    "rate": (0.1, 1e308), "tier": ("a", "b"), "due": (0, 1),
}  # fmt: skip
_STRINGS = ("actor_id", "actor_type", "resource", "source")
_NULLABLE = ("actor_name", "on_behalf_of", "resource_id", "description", "request_id", "before", "after")
_FIRST: dict[str, Any] = {
    "action": "a", "actor_type": "user", "outcome": "unknown", "severity": "Info",
    "ip": "10.0.0.1", "metadata": {"a": "1"}, **dict.fromkeys(_NULLABLE), **SET,
}  # fmt: skip


def others(field: str) -> tuple[Any, ...]:
    values = _OTHER.get(field) or tuple(one for one in _TEXTS if one != _FIRST.get(field, ""))
    return tuple(one for one in values if field not in _FIRST or one != _FIRST[field])


@pytest.mark.parametrize(
    "field", [*(one for one in BASE_FIELDS if one not in ("event_id", "tenant_id", "occurred_at")), *SET]
)
def test_events_that_differ_in_a_single_field_are_all_kept(store: Store, field: str) -> None:
    sent: list[Sent] = [(rich(**_FIRST), None)]
    for value in others(field):
        other = rich(**_FIRST | {field: value})
        sent += [(other, None), through_gateway(other, "billing")]
    store.take_all([*sent, sent[0]])
    assert len(store.log()) == 1 + len(others(field))
    [[conflicts]] = store.client.query(
        "SELECT count() FROM (SELECT 1 FROM "
        f"`{store.database}`.log GROUP BY tenant_id, occurred_at, event_id HAVING uniqExact(content_hash) > 1)"
    ).result_rows
    assert conflicts == 1


def test_moving_a_value_to_another_field_makes_another_event(store: Store) -> None:
    for values in ({"before": "ab", "after": ""}, {"before": "a", "after": "b"}, {"before": "", "after": "ab"}):
        store.take(message(**values))
    store.take(rich(text="1"))
    store.take(message(metadata={"a": "1", "b": "2", "text": "1"}))
    assert len(store.log()) == 5


def test_the_order_of_a_maps_keys_does_not_matter(store: Store) -> None:
    store.take(message(metadata={"a": "1", "b": "2"}))
    store.take(message(metadata={"b": "2", "a": "1"}))
    assert len(store.log()) == 1


def test_a_merge_keeps_what_readers_saw(store: Store) -> None:
    for value in (message(description="harmless"), message(description="StopLogging"), message(description="harmless")):
        store.take(value)
    seen = store.log("description, kafka_offset")
    store.client.command(f"OPTIMIZE TABLE `{store.database}`.events FINAL")
    assert store.log("description, kafka_offset") == seen == [("harmless", 0), ("StopLogging", 1)]


def test_the_content_hash_omits_exactly_what_the_gateway_may_fill_in(store: Store) -> None:
    [[expression]] = store.client.query(
        "SELECT default_expression FROM system.columns WHERE table = 'events' AND name = 'content_hash' "
        f"AND database = '{store.database}'"
    ).result_rows
    for name in BASE_FIELDS:
        assert (f"has(defaulted, '{name}')" in expression) == (name in FILLABLE)
        if name not in ("event_id", "tenant_id", "occurred_at"):  # these are the identity's other columns
            assert name in expression


@pytest.mark.parametrize(
    ("made", "known"),
    [
        (lambda: (message(metadata={"b": "2", "a": "1"}), None), True),
        (lambda: through_gateway(message(source="key-2"), "key-2", "source"), True),
        (lambda: (message(description="another"), None), False),
        (lambda: (message(source="key-2"), None), False),
        (lambda: (rich(LATER_ID, LATER, plan="free"), None), True),
        (lambda: (rich(text="x"), None), False),
    ],
)
def test_whether_an_event_is_stored_is_decided_by_its_content(
    store: Store, made: Callable[[], Sent], known: bool
) -> None:
    store.take(message())
    _, rows = store.rows([made()])
    found = StoredEvents(store.client, f"`{store.database}`.`events`").offsets_of_known(rows)
    assert found == ([store.at] if known else [])


def test_two_values_of_a_field_whose_default_changed_are_two_events(store: Store) -> None:
    """Each value is the default in its own schema, which is registered directly. Neither event hides the other."""
    fields = [{"name": "decision", "type": ["string", "null"], "default": one} for one in ("approved", "denied")]
    schemas = [contract(*OWN, one, exclusive=False) for one in fields]
    ids = [REGISTRY.register(f"{TOPIC}.acme-value", one) for one in schemas]
    store.take(rich())
    store.take(rich(ids[0], schemas[0], decision="approved"))  # as if written again after the field was added
    store.take(rich(ids[1], schemas[1], decision="denied"))
    assert store.log("fields['decision']") == ["", "denied"]
