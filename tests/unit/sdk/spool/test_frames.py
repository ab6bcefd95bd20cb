"""Tests the format of segments, which are truncated and altered at every position."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from auditlane.sdk.spool.frames import (
    HEADER_BYTES,
    VERSION,
    Damage,
    Found,
    Record,
    Torn,
    frame,
    header,
    scan,
    seed_of,
    version_of,
)

SEED = seed_of("0199-abc.set")
TEXT = st.text(max_size=20).filter(lambda text: text.isprintable())
RECORDS = st.lists(
    st.builds(
        Record,
        number=st.integers(1, 2**63),
        nth=st.integers(0, 2**63),
        emitted_us=st.integers(0, 2**63),
        tenant=st.text("abc#-", min_size=1, max_size=100),
        event_id=TEXT,
        topic=TEXT,
        key=st.binary(max_size=30),
        value=st.binary(max_size=300),
        headers=st.lists(st.tuples(TEXT, st.binary(max_size=40)), max_size=3).map(tuple),
        unencoded=st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def written(records: list[Record]) -> bytes:
    return header() + b"".join(frame(record, SEED) for record in records)


def starts(records: list[Record]) -> list[int]:
    """Return the position at which each frame starts, and the position at which the last one ends."""
    at, found = HEADER_BYTES, [HEADER_BYTES]
    for record in records:
        at += len(frame(record, SEED))
        found.append(at)
    return found


def read(data: bytes) -> list[Record]:
    return [found.record for found in scan(data, SEED) if isinstance(found, Found)]


SAMPLE = [
    Record(1, 0, 7, "acme", "id-1", "audit.events", b"acme", b"\x00\xf5RE\xf5 one"),
    Record(2, 3, 8, "globex", "id-2", "audit.events", b"globex#2", b"two" * 20, (("traceparent", b"00-1"), ("s", b""))),
    Record(3, 0, 9, "acme", "id-3", "audit.events", b"acme", b""),
]


@given(RECORDS)
def test_records_are_read_as_written(records):
    data = written(records)
    assert [*scan(data, SEED)] == [
        Found(start, end, record)
        for start, end, record in zip(starts(records), starts(records)[1:], records, strict=False)
    ]
    assert version_of(data) == VERSION


@given(RECORDS, st.data())
def test_a_cut_segment_has_every_whole_record(records, data):
    whole = written(records)
    cut = data.draw(st.integers(HEADER_BYTES, len(whole)))
    ends = starts(records)[1:]
    found = [*scan(whole[:cut], SEED)]
    kept = sum(end <= cut for end in ends)
    assert [one.record for one in found if isinstance(one, Found)] == records[:kept]
    torn = [one for one in found if not isinstance(one, Found)]
    at_end = cut in starts(records)
    assert torn == ([] if at_end else [Torn(starts(records)[kept])]), "a torn tail is not damage"


def test_every_cut_of_a_sample_is_torn():
    whole, ends = written(SAMPLE), starts(SAMPLE)[1:]
    for cut in range(HEADER_BYTES, len(whole) + 1):
        kept = sum(end <= cut for end in ends)
        assert read(whole[:cut]) == SAMPLE[:kept]
        assert not any(isinstance(one, Damage) for one in scan(whole[:cut], SEED))


def test_a_flipped_bit_at_any_position_costs_one_record_and_is_noticed():
    whole, bounds = written(SAMPLE), starts(SAMPLE)
    for position in range(HEADER_BYTES, len(whole)):
        hit = sum(start <= position for start in bounds) - 1
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            found = [*scan(bytes(flipped), SEED)]
            assert [one.record for one in found if isinstance(one, Found)] == SAMPLE[:hit] + SAMPLE[hit + 1 :]
            [damage] = [one for one in found if not isinstance(one, Found)]
            assert damage == Damage(bounds[hit], bounds[hit + 1]), (position, bit)


def test_a_damaged_header_costs_no_record():
    whole = written(SAMPLE)
    for position in range(HEADER_BYTES):
        flipped = bytearray(whole)
        flipped[position] ^= 1
        assert version_of(bytes(flipped)) is None
        assert read(bytes(flipped)) == SAMPLE
    assert version_of(whole[: HEADER_BYTES - 1]) is None
    assert version_of(header(7)) == 7


@given(RECORDS, st.lists(st.tuples(st.integers(0, 2**31), st.binary(max_size=12)), max_size=4))
def test_no_altered_bytes_are_read_as_another_record(records, changes):
    altered = bytearray(written(records))
    for position, value in changes:
        at = HEADER_BYTES + position % (len(altered) - HEADER_BYTES)
        altered[at : at + len(value)] = value
    found = [*scan(bytes(altered), SEED)]
    assert all(one.record in records for one in found if isinstance(one, Found))
    covered = HEADER_BYTES
    for one in found:
        assert one.start == covered
        covered = len(altered) if isinstance(one, Torn) else one.end
    assert covered == len(altered)


def test_a_frame_inside_an_event_is_not_a_record_even_if_the_event_is_damaged():
    forged = frame(Record(9, 0, 1, "victim", "id-9", "audit.events", b"victim", b"forged"), zlib.crc32(b"guess"))
    outer = Record(1, 0, 1, "attacker", "id-1", "audit.events", b"attacker", b"before" + forged + b"after")
    data = bytearray(written([outer, SAMPLE[1]]))
    data[HEADER_BYTES] ^= 1
    assert read(bytes(data)) == [SAMPLE[1]]


def test_space_that_was_never_written_is_not_damage():
    assert [*scan(written(SAMPLE) + bytes(500), SEED)][-1] == Torn(len(written(SAMPLE)))
