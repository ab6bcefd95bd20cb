"""Tests that the validator agrees with the simple reference on any input, whatever the other messages in the batch
are.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import Stored, expected_result
from validating import NOW_MS, TOPIC, base_registry, contract, event, message, own, raw_range

from auditlane.worker.validation import validator as validator_module
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

LIMIT = 20_000
TIME = {"type": "long", "logicalType": "timestamp-micros"}
RICH = contract(
    own("note", "string", maxLength=8, pattern=r"[^x]*"),
    own("ok", "boolean"),
    own("count", "int", minimum=-5, maximum=1_000),
    own("big", "long"),
    own("cost", "float", oneOf=[0.5, 1.5, 0.1]),
    own("rate", "double", minimum=0),
    own("tier", {"type": "enum", "name": "Tier", "symbols": [f"T{n}" for n in range(70)]}, required=True),
    own("due", TIME),
    {"name": "late", "type": [TIME, "null"], "default": 0},
    {"name": "plain", "type": "boolean", "default": False},
    actor_id={"required": True},
    metadata={"required": True},
    exclusive=False,
)
REGISTRY = base_registry()
RICH_ID = REGISTRY.register(f"{TOPIC}.acme-value", RICH)
STRICT_ID = REGISTRY.register(f"{TOPIC}.strict-value", contract(own("x", "string", required=True)))


@pytest.fixture(autouse=True, scope="module")
def errors_surface() -> Iterator[None]:
    """Disable isolation. It would validate ever smaller parts, and thereby hide an error that two messages cause only
    in combination.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validator_module, "isolated", lambda raw, validate: validate(raw))
        yield


def rich(**values: Any) -> bytes:
    expected = dict.fromkeys(("note", "ok", "count", "big", "cost", "rate", "due", "late")) | {
        "tier": "T3",
        "plain": True,
    }
    return message(RICH_ID, RICH, **{"actor_id": "u1"} | expected | values)


def agree(raw: RawRange) -> None:
    validator = BatchValidator(SchemaCache(REGISTRY, topic=TOPIC, refresh_s=30), topic=TOPIC, max_event_bytes=LIMIT)
    found = validator.validate(raw, ingested_at_ms=NOW_MS)
    rejected = {one.index: one.code for one in found.rejected}
    rows: dict[int, tuple[int, dict[str, Any]]] = {}
    for month, table in found.rows.items():
        assert table.schema.equals(EVENTS)
        table.validate(full=True)
        places = list(zip(table["schema_id"].to_pylist(), table["kafka_offset"].to_pylist(), strict=True))
        assert places == sorted(places)
        for row in table.to_pylist():
            index = row["kafka_offset"] - raw.offsets[0]
            assert index not in rows
            rows[index] = month, row
    assert sorted([*rows, *rejected]) == list(range(len(raw.values))), "each message is a row or a rejection"
    for index, (key, value, at) in enumerate(zip(raw.keys, raw.values, raw.timestamps_ms, strict=True)):
        expected = expected_result(REGISTRY, key, value, at, LIMIT)
        if isinstance(expected, Stored):
            assert index in rows, (rejected.get(index), [one.message for one in found.rejected if one.index == index])
            month, row = rows[index]
            assert month == expected.month
            same_fields(row["fields"], expected.row.pop("fields"))
            assert {name: row[name] for name in expected.row} == expected.row
        else:
            assert rejected.get(index) == expected


def same_fields(found: list[tuple[str, str]], expected: list[tuple[str, Any]]) -> None:
    assert [name for name, _ in found] == [name for name, _ in expected]
    for (_, text), (name, value) in zip(found, expected, strict=True):
        if isinstance(value, float):
            assert float(text) == value or struct.pack("<f", float(text)) == struct.pack("<f", value), name
        elif value == "0000":
            assert text.startswith("0000-")
        else:
            assert text == value


texts = st.text(max_size=12) | st.sampled_from(["", "a" * 63, "b" * 64, "ü" * 5_000, "\0", "😀"])
ids = st.sampled_from(
    [
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "",
        "01890a5dac96774bbcceb302099a8057",
    ]
)
ips = st.sampled_from(
    ["", "::1", "::ffff:1.2.3.4", "2001:DB8::1", "1.2.3.04", "fe80::1%eth0", "1.2.3.4\n", "1.2.3.256", "::", "1.2.3"]
)
longs = st.integers(-(2**63), 2**63 - 1) | st.integers(-70, 70)
base = st.fixed_dictionaries(
    {},
    optional={
        "event_id": ids,
        "tenant_id": st.sampled_from(["acme", "other", "strict", "_auditlane"]),
        "occurred_at": st.sampled_from([0, -1, 2**62, NOW_MS * 1000 + 86_400_000_000])
        | st.integers((NOW_MS - 3_654 * 86_400_000) * 1000, (NOW_MS + 86_500_000) * 1000),
        "action": texts,
        "actor_id": texts,
        "description": st.none() | texts,
        "ip": st.none() | ips,
        "user_agent": st.none() | texts,
        "outcome": st.sampled_from(["success", "denied"]),
        "metadata": st.dictionaries(texts, texts, max_size=4),
    },
)
own_values = st.fixed_dictionaries(
    {},
    optional={
        "note": st.none() | texts,
        "ok": st.none() | st.booleans(),
        "count": st.none() | st.integers(-(2**31), 2**31 - 1) | st.integers(-6, 6),
        "big": st.none() | longs,
        "cost": st.none() | st.floats(width=32) | st.sampled_from([0.5, 1.5]),
        "rate": st.none() | st.floats(),
        "tier": st.none() | st.sampled_from(["T0", "T63", "T64", "T69"]),
        "due": st.none() | longs | st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999),
        "late": st.none() | longs,
    },
)


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(whole) - 1)))
    byte = draw(st.integers(0, 255))
    match draw(st.integers(0, 7)):
        case 0:
            return whole[:at]
        case 1:
            return whole + bytes([byte])
        case 2:
            return whole[:at] + bytes([byte]) + whole[at + 1 :]
        case 3:
            return whole[:at] + bytes([byte]) + whole[at:]
        case 4:
            return whole[:at] + whole[at + 1 :]
        case 5:
            return whole[:5] + draw(st.binary(max_size=60))
        case _:
            return whole


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes | None, bytes | None]:
    key = draw(
        st.sampled_from([b"acme", b"acme", b"acme#3", b"other", b"strict", b"_auditlane", b"a b", b"\xff", b"", None])
    )
    values = draw(base)
    if "tenant_id" not in values and key in (b"other", b"strict"):
        values["tenant_id"] = key.decode()
    if draw(st.booleans()):
        whole = rich(**values, **draw(own_values))
    else:
        whole = message(draw(st.sampled_from([1, 1, STRICT_ID, 99])), **values)
    return key, draw(st.none() | mutated(whole)) if draw(st.integers(0, 9)) == 0 else draw(mutated(whole))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(messages(), min_size=1, max_size=12))
def test_any_messages_are_validated_as_by_the_reference(drawn: list[tuple[bytes | None, bytes | None]]) -> None:
    agree(raw_range([value for _, value in drawn], [key for key, _ in drawn]))


@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_messages_with_one_in_fifty_mutated(seed: int) -> None:
    """The messages span several of the decoder's chunks, and both schemas are mixed."""
    chance = random.Random(seed)
    values: list[bytes | None] = []
    for number in range(4_300 if seed == 0 else 900):
        values_of = {
            "action": f"a{number}",
            "metadata": {f"k{n}": "v" * n for n in range(1, 1 + number % 4)} or {"a": ""},
        }
        whole = rich(**values_of, big=number) if chance.random() < 0.5 else message(**values_of)
        if chance.random() < 0.02:
            at = chance.randrange(5, len(whole))
            whole = chance.choice(
                [
                    whole[:at],
                    whole + b"\0",
                    whole[:at] + chance.randbytes(1) + whole[at + 1 :],
                    whole[:5] + chance.randbytes(at),
                ]
            )
        values.append(whole)
    agree(raw_range(values))


@pytest.mark.parametrize("position", [0, 1, 49, 50, 98, 99])
@pytest.mark.parametrize(
    "poison",
    [
        None,
        b"",
        b"\0\0\0\0\1",
        message()[:-1],
        message() + b"\0",
        message()[:5] + b"\xff" * 40,
        message().replace(b"Login", b"Log\xff\xfe"),
    ],
    ids=["null", "empty", "frame", "cut", "trailing", "garbage", "not utf-8"],
)
def test_a_poison_message_affects_no_neighbour(position: int, poison: bytes | None) -> None:
    values: list[bytes | None] = [message(action=f"a{number}") for number in range(100)]
    values[position] = poison
    agree(raw_range(values))


def test_a_batch_of_only_bad_messages_and_an_empty_one() -> None:
    agree(raw_range([b"x"] * 50))
    agree(raw_range([message()[:-1]] * 300))
    agree(raw_range([]))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e22, 0.1])
def test_extreme_doubles_are_judged_alike(value: float) -> None:
    agree(raw_range([rich(rate=value), message()]))


def test_a_varint_that_wraps_around_32_bits() -> None:
    """A decoder that wraps around would read -2**31-1 as 2**31-1. Both varints have the same length, which would hide
    the error.
    """
    wrapping = contract(own("n", "long"), exclusive=False)
    narrow = contract(own("n", "int"), exclusive=False)
    registry_id = REGISTRY.register(f"{TOPIC}.acme-value", narrow)
    agree(raw_range([message(registry_id, wrapping, n=-(2**31) - 1), message(registry_id, narrow, n=-(2**31)), rich()]))


def test_maps_in_blocks_and_with_sizes_are_read() -> None:
    whole = message(metadata={"a": "1", "b": "2"})
    one_block = b"\x04\x02a\x021\x02b\x022\x00"
    assert whole.endswith(one_block)
    for other in (
        b"\x02\x02a\x021\x02\x02b\x022\x00",  # two blocks
        b"\x03\x10\x02a\x021\x02b\x022\x00",  # a negative count, followed by the size
        b"\x84\x00\x02a\x021\x02b\x022\x00",  # a count with one more byte than necessary
        b"\x04\x02a\x021\x02a\x022\x00",  # the same key twice
    ):
        agree(raw_range([message(), whole.replace(one_block, other), message()]))


def test_a_message_at_the_size_limit_and_one_above() -> None:
    room = LIMIT - len(message(description="")) + 5 - 2  # the length prefix takes three bytes instead of one
    assert len(message(description="d" * room)) - 5 == LIMIT
    agree(raw_range([message(description="d" * room), message(description="d" * (room + 1))]))


def test_ten_thousand_entries_in_one_map() -> None:
    many = {f"{n}": "" for n in range(2_000)}
    agree(raw_range([message(metadata=many), message()[:-1], message(metadata=many) + b"x"]))


def test_the_test_event_has_every_base_field() -> None:
    assert set(event()) == set(EVENTS.names[:20])


def test_a_field_that_is_null_in_one_message_and_set_in_the_next() -> None:
    agree(raw_range([rich(note=None, count=7), rich(note="a"), message(ip=None, description="d"), message(ip="::1")]))
