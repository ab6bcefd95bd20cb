from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.intent import MAX_BYTES, Intent, OpenCircuit, UnknownIntent, decode
from auditlane.contract.message_columns import Columns
from auditlane.worker.protocol.partition_state import digest

offsets = st.integers(0, 2**63 - 1)


@given(st.uuids().map(str), offsets, offsets, st.integers(0, 2**64 - 1), st.integers(-(2**43), 2**43))
def test_an_intent_round_trips_through_the_metadata(topic: str, first: int, more: int, hashed: int, at: int) -> None:
    intent = Intent(topic, first, first + more, f"{hashed:016x}", at)
    assert decode(intent.encode()) == intent
    assert len(intent.encode().encode()) < MAX_BYTES / 10


def test_a_note_about_the_circuit_breaker_survives_the_metadata_and_a_damaged_one_is_ignored() -> None:
    intent = Intent("t", 1, 2, "x", failing_ms=5, error="refused", circuit=OpenCircuit("FIELD_RULE", 7))
    encoded = intent.encode()
    assert decode(encoded) == intent
    for damaged in ('"FIELD_RULE"', '["FIELD_RULE"]', '["FIELD_RULE",true]', '["FIELD_RULE",-1]', "{}", "null"):
        read = decode(encoded.replace('["FIELD_RULE",7]', damaged))
        assert read == replace(intent, circuit=None), damaged


def test_a_completion_has_nothing_pending() -> None:
    intent = decode(Intent("t", at_ms=3).encode())
    assert intent == Intent("t", at_ms=3)
    assert intent is not None
    assert not intent.pending


@pytest.mark.parametrize("metadata", [None, "", "by hand", "[]", "{}", '{"by":"a tool"}', "7", '"v"', "[" * 4_000])
def test_metadata_written_by_tools_is_not_an_intent(metadata: str | None) -> None:
    assert decode(metadata) is None


@pytest.mark.parametrize(
    "metadata",
    [
        '{"v":2,"topic":"t","range":[1,2]}',
        '{"v":1,"topic":"t","range":[2,1],"digest":"x"}',
        '{"v":1,"topic":"t","range":[1],"digest":"x"}',
        '{"v":1,"topic":"t","range":[1,2]}',
        '{"v":1,"topic":"t","range":"1-2","digest":"x"}',
        '{"v":1,"topic":"t","range":[true,2],"digest":"x"}',
        '{"v":1,"topic":"t","range":[1,2],"digest":""}',
        '{"v":1,"topic":"t","doubt":"9"}',
        '{"v":1}',
        '{"v":true,"topic":"t"}',
        '{"v":2}',
        '{"v":"1","topic":"t"}',
        '{"v":1.0,"topic":"t"}',
        '{"v":null,"topic":"t"}',
        '{"topic":"t","range":[1,2],"digest":"x"}',
        '{"v":[2],"plan":"of another kind"}',
    ],
)
def test_an_unreadable_intent_is_never_mistaken_for_none(metadata: str) -> None:
    with pytest.raises(UnknownIntent):
        decode(metadata)


@pytest.mark.parametrize(
    "intent",
    [Intent("t", at_ms=3, recheck_below=7), Intent("t", 1, 2, "ab", 3), Intent("t", 1, 2, "ab", 3, 4, 5, 'é {"v":1}')],
)
def test_a_truncated_intent_is_refused(intent: Intent) -> None:
    whole = intent.encode()
    assert decode(f" {whole}\n") == intent
    for length in range(1, len(whole)):
        with pytest.raises(UnknownIntent):
            decode(whole[:length])


@given(st.text())
def test_no_metadata_breaks_the_worker(metadata: str) -> None:
    with contextlib.suppress(UnknownIntent):
        decode(metadata)


def columns(**overrides: list[object]) -> Columns:
    plain: dict[str, list[object]] = {
        "offsets": [3, 4],
        "timestamps_ms": [10, 11],
        "keys": [b"a", None],
        "values": [b"xy", b""],
    }
    return Columns(**(plain | overrides))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        columns(offsets=[3, 5]),
        columns(timestamps_ms=[10, 12]),
        columns(keys=[b"a", b""]),
        columns(keys=[None, b"a"]),
        columns(values=[b"x", b"y"]),
        columns(values=[b"xy", None]),
    ],
)
def test_the_digest_depends_on_every_value_that_affects_validation(other: Columns) -> None:
    assert digest(columns()) == digest(columns())
    assert digest(columns()) != digest(other)
