"""Tests dead letters without Kafka: the index, filters, conversion to the newest contract, the dry run, and the
view.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastavro
import pytest
import validating
from hypothesis import given
from hypothesis import strategies as st

from auditlane.access.provenance_keys import ProvenanceKeys
from auditlane.contract import dead_letter
from auditlane.contract.dead_letter import Identity, Letter, Place, Resolution, State
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.provenance import TRAIL, Claim, verify
from auditlane.contract.reject_codes import RejectCode
from auditlane.contract.tenants import tenant_subject
from auditlane.contract.wire import frame, unframe
from auditlane.operations.dlq.dry_run import DryRunner, Found
from auditlane.operations.dlq.index import Index, Selection
from auditlane.operations.dlq.replay import chunks, replay
from auditlane.operations.dlq.upgrade import NotResolved, SchemaUpgrader
from auditlane.operations.dlq.view import decoded, view
from auditlane.runtime.errors import RegistryUnavailable
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.sink.dead_letters import headers as letter_headers
from auditlane.worker.sink.dead_letters import truncated
from auditlane.worker.validation.batch import Rejection
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

TOPIC_ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"
OTHER_ID = "6f9619ff-8b86-4011-b42d-00c04fc964fe"


def letter(offset: int = 7, *, topic_id: str = TOPIC_ID, **overrides: Any) -> Letter:
    made = Letter(
        Identity(topic_id, 3, offset),
        Place(0, offset),
        topic=validating.TOPIC,
        tenant="acme",
        code="FIELD_RULE",
        reason="amount must be at most 3.",
        schema_id=9,
        received_ms=1_000 + offset,
        published_ms=2_000 + offset,
    )
    return replace(made, **overrides)


def closing(closed: Letter, state: State = State.replayed) -> Resolution:
    return Resolution(closed.identity, state, "", 5_000)


def folded(*records: Letter | Resolution | None) -> Index:
    index = Index()
    index.add(records)
    return index


def offsets(index: Index, **conditions: Any) -> list[int]:
    return [one.identity.offset for one in index.newest(Selection(**conditions))]


# The records.


def test_a_published_dead_letter_is_read_as_a_letter() -> None:
    columns = Columns([41, 42], [8_000, 9_000], [b"acme", b"acme"], [b"x", b"y"])
    range_ = Range(Partition("audit.events", 3), TOPIC_ID, 41, 42, columns, "", 1)
    rejection = Rejection(1, RejectCode.NOT_FRAMED, "It lacks the frame.", "acme", None)
    found = dead_letter.read(letter_headers(range_, rejection, task="t"), Place(1, 5), 9_999)
    assert found == Letter(
        Identity(TOPIC_ID, 3, 42),
        Place(1, 5),
        topic="audit.events",
        tenant="acme",
        code="NOT_FRAMED",
        reason="It lacks the frame.",
        schema_id=None,
        received_ms=9_000,
        published_ms=9_999,
    )
    assert found.name == "audit.events:3:42"


@pytest.mark.parametrize("kept", [65_536, 0])
def test_a_truncated_letter_is_recognized_and_not_replayed(kept: int) -> None:
    value = bytes(range(256)) * 4_000
    key, beginning, note = truncated(b"acme#" + b"k" * 500_000, value, kept)
    assert (len(key or b""), beginning) == (1_024, value[:kept])
    columns = Columns([7], [9_000], [key], [value], [b"s" * 300_000])
    range_ = Range(Partition(validating.TOPIC, 3), TOPIC_ID, 7, 7, columns, "", 1)
    headers = letter_headers(range_, Rejection(0, RejectCode.TOO_LARGE, "Large.", "acme", 9), task="t")
    assert sum(len(text) for _, text in headers if text) < 1_000, "an oversized signature is dropped"
    read = dead_letter.read([*headers, *note], Place(0, 7), 9_999)
    [one] = folded(read).newest(Selection())
    assert (one.whole_bytes, one.sha256) == (len(value), hashlib.sha256(value).hexdigest())
    world = World()
    schemas = SchemaCache(world.registry, topic=validating.TOPIC, refresh_s=30)
    validator = BatchValidator(schemas, topic=validating.TOPIC, max_event_bytes=100_000)
    dry_runner = DryRunner(world.upgrader(), validator, world.topics)
    [answer] = dry_runner.dry_run([Found(one, key, beginning)], now_ms=validating.NOW_MS)
    assert (answer.value, answer.code) == (None, "CUT_OFF")
    assert one.name in answer.reason


def test_a_resolution_is_read_with_the_identity_of_its_letter() -> None:
    headers = dead_letter.resolution_headers(letter(), State.discarded, "no longer needed")
    assert dead_letter.read(headers, Place(0, 9), 5_000) == Resolution(
        letter().identity, State.discarded, "no longer needed", 5_000
    )


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("__connect.errors.topic", b"audit.events")],
        [(dead_letter.TOPIC_ID, b"x"), (dead_letter.PARTITION, b"one"), (dead_letter.OFFSET, b"2")],
        [
            (dead_letter.TOPIC_ID, b"x"),
            (dead_letter.PARTITION, b"1"),
            (dead_letter.OFFSET, b"2"),
            (dead_letter.RESOLVED, b"perhaps"),
        ],
        [(dead_letter.TOPIC_ID, None), (dead_letter.PARTITION, None), (dead_letter.OFFSET, b"\xff")],
    ],
)
def test_foreign_messages_in_the_topic_are_not_records(headers: list[tuple[str, bytes | None]]) -> None:
    assert dead_letter.read(headers, Place(0, 0), 0) is None


# The fold.


def test_a_letter_is_open_until_it_is_resolved() -> None:
    index = folded(letter(1), letter(2), None)
    assert offsets(index) == [2, 1]
    index.add([closing(letter(2), State.discarded)])
    assert offsets(index) == [1]
    assert [one.state for one in index.newest(Selection(resolved=True))] == [State.discarded, State.open]
    assert index.foreign == 1


def test_the_same_offset_of_a_recreated_topic_is_another_letter() -> None:
    index = folded(letter(1), letter(1, topic_id=OTHER_ID), closing(letter(1)))
    assert [one.identity.topic_id for one in index.newest(Selection())] == [OTHER_ID]
    assert index.count(Selection(names=("audit.events:3:1",), resolved=True)) == 2
    assert index.count(Selection(names=(f"{OTHER_ID}:3:1",))) == 1


_records = st.lists(
    st.tuples(st.booleans(), st.integers(0, 5), st.sampled_from([TOPIC_ID, OTHER_ID])).map(
        lambda one: letter(one[1], topic_id=one[2]) if one[0] else closing(letter(one[1], topic_id=one[2]))
    )
)


@given(_records, st.integers(0, 40))
def test_the_order_of_records_does_not_matter_nor_how_often_they_come(
    records: Sequence[Letter | Resolution], cut: int
) -> None:
    index = folded(*records[cut:], *records[:cut], *records)
    letters = {one.identity for one in records if isinstance(one, Letter)}
    closed = {one.identity for one in records if isinstance(one, Resolution)}
    assert {one.identity for one in index.newest(Selection())} == letters - closed
    assert index.count(Selection(resolved=True)) == len(letters)
    index.close()


def test_the_index_filters_by_tenant_code_time_and_name() -> None:
    index = folded(
        letter(1),
        letter(2, tenant="globex"),
        letter(3, code="IP_INVALID"),
        letter(4, tenant=None, code="KEY_MISSING"),
    )
    assert offsets(index, tenants=("acme",)) == [3, 1]
    assert offsets(index, tenants=("acme", "globex"), codes=("FIELD_RULE",)) == [2, 1]
    assert offsets(index, since_ms=1_002, until_ms=1_004) == [3, 2]
    assert offsets(index, names=("audit.events:3:1", "audit.events:3:4")) == [4, 1]
    assert offsets(index, names=("audit.events:3:1' OR '1'='1",)) == []
    assert [one.identity.offset for one in index.in_topic_order(Selection(), 2)] == [1, 2]


def test_only_given_criteria_narrow_the_selection() -> None:
    assert not Selection().narrows
    assert not Selection(resolved=True).narrows
    assert Selection(since_ms=0).narrows
    assert Selection(until_ms=0).narrows
    assert Selection(codes=("TOO_LARGE",)).narrows


def test_counts_by_code_tenant_and_state() -> None:
    index = folded(letter(1), letter(2), letter(3, tenant="globex"), closing(letter(3)))
    [one] = index.counts(Selection())
    assert (one.code, one.tenant, one.state, one.letters, one.first_ms, one.last_ms) == (
        "FIELD_RULE", "acme", State.open, 2, 1_001, 1_002,
    )  # fmt: skip
    assert [(one.tenant, one.state) for one in index.counts(Selection(resolved=True))] == [
        ("acme", State.open),
        ("globex", State.replayed),
    ]


# Resolving into the newest contract.


class World:
    """An in-memory registry with a tenant's contracts, and the objects that a replay needs."""

    def __init__(self) -> None:
        self.registry = validating.base_registry()
        self.topics = {validating.TOPIC}

    def register(self, *own: dict[str, Any], tenant: str = "acme", **attributes: Any) -> tuple[int, dict[str, Any]]:
        schema = validating.contract(*own, **attributes)
        return self.registry.register(tenant_subject(validating.TOPIC, tenant), schema), schema

    def upgrader(self) -> SchemaUpgrader:
        book = SchemaCache(self.registry, topic=validating.TOPIC, refresh_s=30)
        return SchemaUpgrader(self.registry, book.known, topic=validating.TOPIC)

    def dry_run(self, *values: bytes | None, key: bytes | None = b"acme", topic: str = validating.TOPIC) -> list[Any]:
        book = SchemaCache(self.registry, topic=validating.TOPIC, refresh_s=30)
        validator = BatchValidator(book, topic=validating.TOPIC, max_event_bytes=100_000)
        dry_runner = DryRunner(self.upgrader(), validator, self.topics)
        found = [Found(letter(at, topic=topic), key, value) for at, value in enumerate(values)]
        return dry_runner.dry_run(found, now_ms=validating.NOW_MS)

    def read(self, value: bytes) -> dict[str, Any]:
        schema_id, datum = unframe(value)
        schema = fastavro.parse_schema(json.loads(self.registry.schemas[schema_id]))
        return dict(fastavro.schemaless_reader(io.BytesIO(bytes(datum)), schema))


def test_a_base_event_is_converted_to_the_tenants_own_contract() -> None:
    world = World()
    latest, _ = world.register(validating.own("amount", "double", required=False), validating.own("city", "string"))
    value = validating.message()
    revived = world.upgrader().upgrade(b"acme#4", value)
    assert revived.value is not None
    assert unframe(revived.value)[0] == latest
    before, after = world.read(value), world.read(revived.value)
    assert after == before | {"amount": None, "city": None}
    assert (after["event_id"], after["occurred_at"]) == (before["event_id"], before["occurred_at"])
    assert revived.dropped == ()


def test_numbers_are_promoted_names_follow_aliases_and_unknown_symbols_take_the_default() -> None:
    world = World()
    kind = {"type": "enum", "name": "Kind", "symbols": ["a", "b"]}
    first, schema = world.register(
        validating.own("amount", "int"), validating.own("town", "string"), validating.own("kind", kind)
    )
    value = validating.message(first, schema, amount=3, town="Rome", kind="b")
    other = {"type": "enum", "name": "Sort", "symbols": ["a", "c"], "default": "c"}
    latest, _ = world.register(
        validating.own("amount", "double"),
        validating.own("city", "string", aliases=["town"]),
        validating.own("kind", other),
    )
    revived = world.upgrader().upgrade(b"acme", value)
    assert revived.value is not None
    assert unframe(revived.value)[0] == latest
    after = world.read(revived.value)
    assert (after["amount"], after["city"], after["kind"]) == (3.0, "Rome", "c")
    assert revived.dropped == ()


def test_what_the_latest_contract_lacks_is_named() -> None:
    world = World()
    first, schema = world.register(validating.own("amount", "double"), validating.own("city", "string"))
    world.register(validating.own("town", "string"))
    value = validating.message(first, schema, amount=1.5, city=None)
    assert world.upgrader().upgrade(b"acme", value).dropped == ("amount",)


def test_an_unresolvable_schema_names_the_field() -> None:
    world = World()
    first, schema = world.register(validating.own("amount", "string"))
    world.register(validating.own("size", "long"), validating.own("amount", "long"))
    with pytest.raises(NotResolved, match=r"^amount: schema 2 cannot be resolved into schema 3"):
        world.upgrader().upgrade(b"acme", validating.message(first, schema, amount="many"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"acme", None),
        (b"acme", b"not framed"),
        (b"acme", frame(99, b"x")),
        (b"acme", frame(validating.BASE_ID, b"\x02")),
        (None, validating.message()),
        (b"\xff", validating.message()),
        (b"no tenant!", validating.message()),
    ],
)
def test_unreadable_values_are_unchanged(key: bytes | None, value: bytes | None) -> None:
    world = World()
    world.register(validating.own("amount", "double"))
    assert world.upgrader().upgrade(key, value).value == value


# The verdict.


def test_a_letter_is_replayable_once_the_rule_is_relaxed() -> None:
    world = World()
    strict, schema = world.register(validating.own("amount", "double", maximum=3))
    value = validating.message(strict, schema, amount=4.5)
    [stays] = world.dry_run(value)
    assert (stays.code, stays.reason) == ("FIELD_RULE", "amount must be at most 3.")
    latest, _ = world.register(validating.own("amount", "double", maximum=5))
    [sent] = world.dry_run(value)
    assert sent.code == ""
    assert unframe(sent.value)[0] == latest


def test_each_letter_has_its_own_verdict() -> None:
    world = World()
    good, bad = validating.message(), validating.message(ip="nowhere")
    answers = world.dry_run(good, b"junk", bad, frame(77, b""), None, good)
    assert [one.code for one in answers] == [
        "", "NOT_FRAMED", "IP_INVALID", "SCHEMA_UNKNOWN", "NOT_FRAMED", "",
    ]  # fmt: skip
    assert [one.found.letter.identity.offset for one in answers] == list(range(6))


def test_the_letters_of_a_deleted_topic_are_kept() -> None:
    [one] = World().dry_run(validating.message(), topic="audit.events.gone")
    assert one.code == "TOPIC_GONE"


def test_a_schema_registered_since_is_known() -> None:
    world = World()
    schema = validating.contract(validating.own("amount", "double"))
    value = validating.message(2, schema, amount=1.0)
    assert [one.code for one in world.dry_run(value)] == ["SCHEMA_UNKNOWN"]
    world.register(validating.own("amount", "double"))
    assert [one.code for one in world.dry_run(value)] == [""]


def test_an_outage_of_the_registry_decides_nothing() -> None:
    world = World()
    world.registry.down = True
    with pytest.raises(RegistryUnavailable):
        world.dry_run(validating.message())


# Replaying in chunks.


class RecordingReplayer:
    def __init__(self) -> None:
        self.sent: list[int] = []

    def replay(self, ready: Sequence[Any]) -> list[Any]:
        self.sent.append(len(ready))
        return list(ready)


def test_a_replayed_message_keeps_its_provenance(tmp_path: Path) -> None:
    world, keys = World(), ProvenanceKeys.load_or_create(tmp_path / "keys.json")
    world.register(validating.own("amount", "double", required=False))
    book = SchemaCache(world.registry, topic=validating.TOPIC, refresh_s=30)
    validator = BatchValidator(book, topic=validating.TOPIC, max_event_bytes=100_000, secrets=keys.secrets)
    sent, ours = validating.message(), validating.message(source="auditlane")
    by_client, by_us = (
        keys.signer(client, filled)(b"acme", value)[1]
        for client, filled, value in (("billing", ("source",), sent), (TRAIL, (), ours))
    )
    found = [
        Found(letter(1), b"acme", sent, by_client),
        Found(letter(2), b"acme", sent),
        Found(letter(3), b"acme", validating.message(action="Other"), by_client),
        Found(letter(4), b"acme", ours, by_us),
        Found(letter(5), b"acme", ours),
    ]

    def claims(dry_runner: DryRunner) -> list[tuple[bool, Claim | None, str]]:
        """Return, for each letter, whether its value was replaced, its signed claim, and the reason why it cannot be
        replayed.
        """
        return [
            (
                result.value != result.found.value,
                verify(keys.secrets(), result.signature or b"", b"acme", result.value or b""),
                result.code,
            )
            for result in dry_runner.dry_run(found, now_ms=validating.NOW_MS)
        ]

    assert claims(DryRunner(world.upgrader(), validator, world.topics, keys)) == [
        (True, Claim("billing", ("source",)), ""),
        (True, None, ""),
        (True, None, ""),
        (False, Claim(TRAIL), ""),  # auditlane's own events use only the base schema
        (True, None, "SOURCE_RESERVED"),
    ]
    assert [claim for _, claim, _ in claims(DryRunner(world.upgrader(), validator, world.topics))][:3] == [None] * 3


def test_chunks_are_bounded_in_letters_and_bytes() -> None:
    found = [Found(letter(at), b"k", b"v" * size) for at, size in enumerate([1, 1, 9, 1, 1, 1])]
    assert [len(one) for one in chunks(found, 3, 10)] == [3, 3]
    assert [len(one) for one in chunks(found, 3, 8)] == [3, 3]
    assert [len(one) for one in chunks(found, 9, 4)] == [2, 1, 2, 1]
    assert list(chunks([])) == []


def test_a_dry_run_counts_and_sends_nothing() -> None:
    world = World()
    book = SchemaCache(world.registry, topic=validating.TOPIC, refresh_s=30)
    validator = BatchValidator(book, topic=validating.TOPIC, max_event_bytes=100_000)
    dry_runner = DryRunner(world.upgrader(), validator, world.topics)
    found = [Found(letter(1), b"acme", validating.message()), Found(letter(2), b"acme", b"junk")]
    dry = replay(found, dry_runner, None, clock=lambda: validating.NOW_MS / 1_000)
    assert (dry.replayed, dict(dry.stays)) == (1, {"NOT_FRAMED": 1})
    kept = RecordingReplayer()
    wet = replay(found, dry_runner, kept, clock=lambda: validating.NOW_MS / 1_000)
    assert (wet.replayed, dict(wet.stays), kept.sent) == (1, {"NOT_FRAMED": 1}, [1])
    assert wet.tenants == {"acme": 1}


# The view.


def test_an_event_is_shown_up_to_the_field_that_broke() -> None:
    world = World()
    good = validating.message()
    schema_id, datum = unframe(good)
    broken = bytearray(datum)
    broken[0] = 0x07  # makes the length of the first string negative
    known = world.upgrader().writer
    assert decoded(frame(schema_id, bytes(broken)), known) == ({}, "event_id: a text has a negative length.")
    event, problem = decoded(good[:-4], known)
    assert event is not None
    assert event["action"] == "Login"
    assert "metadata" not in event
    assert problem.startswith("metadata: the datum ends")
    whole, problem = decoded(good, known)
    assert whole is not None
    assert (whole["occurred_at"], whole["metadata"], problem) == (
        "2025-06-15T15:06:40.000000Z", {"a": "1", "b": "2"}, "",
    )  # fmt: skip


def test_a_view_names_the_broken_field_and_keeps_the_bytes() -> None:
    world = World()
    strict, schema = world.register(validating.own("amount", "double", maximum=3))
    value = validating.message(strict, schema, amount=4.5)
    shown = view(Found(letter(), b"acme", value), world.upgrader().writer, world.dry_run(value)[0])
    assert shown["broken_field"] == "amount"
    assert shown["event"]["amount"] == 4.5
    assert shown["replay"]["code"] == "FIELD_RULE"
    junk = view(Found(letter(code="NOT_FRAMED"), None, b"\x01\x02"), world.upgrader().writer, None)
    assert (junk["event"], junk["broken_field"], junk["value_base64"]) == (None, None, "AQI=")
