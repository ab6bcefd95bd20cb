"""Tests record sets, which one process writes and the same or another process reads."""

from __future__ import annotations

import math
import os
import shutil
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from limits import files_limited_to

from auditlane.sdk.spool import own_set
from auditlane.sdk.spool.frames import HEADER_BYTES, Record, header
from auditlane.sdk.spool.losses import DAMAGED, KILLED, Loss, combined, dumped, killed, loaded, loaded_saved
from auditlane.sdk.spool.own_set import OwnSet
from auditlane.sdk.spool.owner_file import OwnerFile, Unsettled
from auditlane.sdk.spool.record_set import NewerVersion, RecordSet


def created(folder, segment_bytes=1_000, *, syncs=False) -> OwnSet:
    return OwnSet.create(folder, segment_bytes=segment_bytes, syncs=syncs)


def add(own: OwnSet, *names: str, waiting: bool = True, alone: bool = False) -> None:
    for name in names:
        own.append("acme", name, "t", b"acme", b"v" * 50, (), own._numbered + 100, waiting=waiting, alone=alone)


def abandon(own: OwnSet):
    """Leave a record set as a killed process would, and return its folder."""
    own.close_inherited()
    own.owner.close()
    return own.path


def adopt(path) -> RecordSet:
    owner = OwnerFile.adopt(path)
    assert owner is not None
    return RecordSet.adopt(path, owner)[0]


def drain(found: RecordSet, count: int = 10**6) -> list[str]:
    """Send and settle the waiting records in order, and return their ids."""
    ids: list[str] = []
    while len(ids) < count and (waiting := found.next_waiting()):
        segment, record = waiting
        ids.append(record.event_id)
        found.sent(record.number, segment)
        found.done(record.number, segment)
    return ids


def names(count: int) -> list[str]:
    return [f"e{number}" for number in range(count)]


def test_a_dead_processs_records_are_read_in_order(tmp_path):
    own = created(tmp_path)
    add(own, *names(40))
    assert len(own.segments) > 3
    path = abandon(own)
    found = adopt(path)
    assert (found.ledger.open, found.ledger.waiting) == (40, 40)
    assert drain(found, 25) == names(40)[:25]
    assert found.reclaim()
    assert found.ledger.low == 25
    found.owner.close()  # this process is killed as well
    again = adopt(path)
    assert drain(again) == names(40)[25:], "what Kafka has is not sent again"
    again.leave()
    assert [*tmp_path.iterdir()] == []


def test_a_set_with_open_records_is_left_for_the_next_process(tmp_path):
    own = created(tmp_path)
    add(own, "a", "b")
    own.leave()
    assert drain(adopt(own.path)) == ["a", "b"]


def test_own_records_are_read_while_others_are_written(tmp_path):
    own = created(tmp_path, 500)
    add(own, *names(10))
    assert drain(own, 3) == names(10)[:3]
    add(own, "nested", alone=True)
    add(own, "last")
    assert sorted(drain(own)) == sorted([*names(10)[3:], "nested", "last"])
    assert own.ledger.waiting == 0
    own.leave()


def test_a_record_that_was_not_sent_is_returned_again(tmp_path):
    own = created(tmp_path)
    add(own, "a", "b")
    first = own.next_waiting()
    assert first == own.next_waiting()
    segment, record = first
    own.sent(record.number, segment)
    assert own.next_waiting()[1].event_id == "b"
    own.failed(record.number, segment, record.emitted_us)
    assert own.next_waiting()[1].event_id == "a"
    assert drain(own) == ["a", "b"]
    own.leave()


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_records_that_are_written_while_others_are_read_are_returned_later(tmp_path, at_once):
    """All records have the same size."""
    own = created(tmp_path, 100_000)
    ids = [f"e{number}" for number in range(10, 10 + 3 * at_once)]
    for start in range(0, len(ids), at_once):
        add(own, *ids[start : start + at_once])
        assert drain(own) == ids[start : start + at_once]
    assert (own.losses, own.given_up) == ({}, [])
    own.leave()


def test_a_file_whose_records_are_done_is_used_again(tmp_path, monkeypatch):
    monkeypatch.setattr(own_set, "_REUSED_BYTES", 300)
    own = created(tmp_path, 100_000)
    for number in range(50):
        add(own, f"e{number}", waiting=False)
        [segment] = own.segments.values()
        own.done(number + 1, segment)
    assert own.size == segment.size == segment.path.stat().st_size < 500
    add(own, "a", "b")
    assert drain(own) == ["a", "b"]
    assert drain(adopt(abandon(own))) == []


def test_a_process_killed_while_writing_loses_only_the_torn_record(tmp_path):
    own = created(tmp_path)
    add(own, *names(3))
    path = abandon(own)
    [segment] = path.glob("*.segment")
    whole = segment.read_bytes()
    for cut in range(HEADER_BYTES, len(whole)):
        segment.write_bytes(whole[:cut])
        found = adopt(path)
        kept = sum((cut - HEADER_BYTES) >= (len(whole) - HEADER_BYTES) // 3 * (n + 1) for n in range(3))
        assert drain(found) == names(3)[:kept]
        assert found.losses == {}
        found.owner.low = 0
        found.owner.close()


def test_a_segment_of_which_only_a_part_of_the_header_was_written_is_empty(tmp_path):
    own = created(tmp_path)
    add(own, "a")
    path = abandon(own)
    for content in (b"", header()[:9], header()):
        (path / "00000009.segment").write_bytes(content)
        found = adopt(path)
        assert (found.ledger.waiting, found.losses) == (1, {})
        found.owner.close()


@given(position=st.integers(0), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_a_flipped_bit_costs_one_record_which_is_counted_and_kept(tmp_path_factory, position, bit):
    folder = tmp_path_factory.mktemp("spool")
    own = created(folder, 400)
    add(own, *names(9))
    path = abandon(own)
    files = sorted(path.glob("*.segment"))
    at = position % sum(file.stat().st_size - HEADER_BYTES for file in files)
    hit = 0
    for file in files:
        size = (file.stat().st_size - HEADER_BYTES) // 3
        if at < 3 * size:
            data = bytearray(file.read_bytes())
            data[HEADER_BYTES + at] ^= 1 << bit
            file.write_bytes(data)
            hit += at // size
            break
        hit, at = hit + 3, at - 3 * size
    found = adopt(path)
    [[loss]] = found.losses.values()
    assert (loss.tenant, loss.count, loss.cause) == ("", 1, DAMAGED)
    assert drain(found) == names(9)[:hit] + names(9)[hit + 1 :]
    [kept] = (folder / "damaged").iterdir()
    assert len(kept.read_bytes()) == size
    shutil.rmtree(folder)


def test_damage_to_records_that_kafka_has_is_not_a_loss(tmp_path):
    own = created(tmp_path, 10_000)
    add(own, *names(6))
    drain(own, 3)
    path = abandon(own)
    [file] = path.glob("*.segment")
    data = bytearray(file.read_bytes())
    data[HEADER_BYTES + 40] ^= 4
    file.write_bytes(data)
    found = adopt(path)
    assert (found.losses, drain(found)) == ({}, names(6)[3:])


def test_several_damaged_records_are_counted_by_their_numbers(tmp_path):
    own = created(tmp_path, 10_000)
    add(own, *names(8))
    path = abandon(own)
    [file] = path.glob("*.segment")
    data = bytearray(file.read_bytes())
    size = (len(data) - HEADER_BYTES) // 8
    data[HEADER_BYTES + size + 3 : HEADER_BYTES + 3 * size + 9] = bytes(2 * size + 6)
    file.write_bytes(data)
    found = adopt(path)
    assert [loss.count for loss in next(iter(found.losses.values()))] == [3]
    assert drain(found) == ["e0", "e4", "e5", "e6", "e7"]


def test_damage_in_several_places_of_a_file_is_one_loss(tmp_path):
    own = created(tmp_path, 10_000)
    add(own, *names(8))
    path = abandon(own)
    [file] = path.glob("*.segment")
    data = bytearray(file.read_bytes())
    size = (len(data) - HEADER_BYTES) // 8
    for place in (1, 5):
        data[HEADER_BYTES + place * size + 30] ^= 4
    file.write_bytes(data)
    found = adopt(path)
    assert [[loss.count for loss in losses] for losses in found.losses.values()] == [[2]], "they share one event id"
    assert drain(found) == ["e0", "e2", "e3", "e4", "e6", "e7"]


def test_own_records_that_cannot_be_read_any_more_are_lost_and_counted(tmp_path):
    own = created(tmp_path, 10_000)
    add(own, *names(4))
    [segment] = own.segments.values()
    data = bytearray(segment.path.read_bytes())
    data[-1] ^= 1
    segment.path.write_bytes(data)
    assert drain(own) == names(3)
    assert (own.ledger.open, own.ledger.waiting, segment.open) == (0, 0, 0)
    [[loss]] = own.losses.values()
    assert (loss.count, loss.cause) == (1, DAMAGED)
    own.owner.close()


def test_another_versions_set_is_left_alone(tmp_path):
    own = created(tmp_path)
    add(own, "a")
    path = abandon(own)
    (path / "00000002.segment").write_bytes(header(2) + b"whatever")
    owner = OwnerFile.adopt(path)
    with pytest.raises(NewerVersion):
        RecordSet.adopt(path, owner)
    owner.close()


def test_losses_are_kept_until_they_are_reported(tmp_path):
    own = created(tmp_path)
    rows = [Loss("acme", 3, 10, 20, KILLED), Loss("globex", 1, 5, 5, KILLED)]
    own.lost("a", rows)
    own.leave()
    found = adopt(own.path)
    assert found.losses == {"a.lost": rows}
    found.reported("a.lost")
    found.leave()
    assert [*tmp_path.iterdir()] == []


def test_losses_are_combined_by_tenant_and_cause():
    one, other = Loss("acme", 3, 10, 20, KILLED), Loss("acme", 1, 5, 15, KILLED)
    assert combined([one, other, Loss("acme", 1, 1, 1, DAMAGED)]) == [
        Loss("acme", 4, 5, 20, KILLED),
        Loss("acme", 1, 1, 1, DAMAGED),
    ]
    assert one.metadata() == {
        "count": "3",
        "since": "1970-01-01T00:00:00.000010Z",
        "until": "1970-01-01T00:00:00.000020Z",
        "cause": KILLED,
    }
    assert one.event_id("set") == one.event_id("set") != one.event_id("set2")
    assert loaded(dumped([one, other], {}).encode()) == [one, other]
    assert loaded_saved(dumped([one, other], {8: 3}).encode()) == {8: 3}
    assert loaded(b"{") == loaded(b"[[1]]") == []
    assert loaded_saved(b"{") == loaded_saved(b"[[1]]") == loaded_saved(b"[]") == {}


def test_a_killed_processs_loss_is_what_was_neither_settled_nor_written():
    rows = ("acme", 10, 3, 4), ("globex", 5, 5, 0), ("umbra", 5, 0, 5)
    assert killed([Unsettled(*row, 1, 2) for row in rows]) == [Loss("acme", 3, 1, 2, KILLED)]


@pytest.mark.parametrize("released_until", [0.0, math.inf])
def test_a_write_that_ends_early_leaves_no_part_of_a_record(tmp_path, released_until):
    own = created(tmp_path)
    add(own, "a")
    own._released_until = released_until
    [segment] = own.segments.values()
    with files_limited_to(segment.size + 20), pytest.raises(OSError, match="File too large"):
        add(own, "b")
    assert all(segment.size == segment.path.stat().st_size for segment in own.segments.values())
    assert own.size == sum(segment.size for segment in own.segments.values())
    add(own, "c")
    assert drain(own) == ["a", "c"]
    assert own.ledger.open == 0


def test_files_are_synced_if_asked(tmp_path, monkeypatch):
    synced: list[int] = []
    monkeypatch.setattr(own_set, "_sync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    own = created(tmp_path, 300, syncs=True)
    add(own, "a", "b", "c")
    assert len(synced) == 1, "a full segment"
    own.sync()
    assert len(synced) == 2
    add(own, "alone", alone=True)
    assert len(synced) == 3
    own.leave()


def test_records_are_unchanged(tmp_path):
    own = created(tmp_path)
    own.append("acme", "id", "topic", b"acme#1", b"\0value", (("name", b"\xff"),), 77, nth=5, waiting=True)
    found = own.next_waiting()
    assert found is not None
    assert found[1] == Record(1, 5, 77, "acme", "id", "topic", b"acme#1", b"\0value", (("name", b"\xff"),))
    own.owner.close()


def test_writes_release_the_interpreters_lock_until_the_disk_is_fast_again(tmp_path, monkeypatch):
    own = created(tmp_path)
    now, released = 100.0, []
    durations = iter([0.0, 3.0, 3.0, 3.0, 0.0, 0.0])

    def write(descriptor, data, *, is_released):
        nonlocal now
        released.append(is_released)
        now += next(durations)
        return os.write(descriptor, data)

    add(own, "a")
    monkeypatch.setattr(own_set, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(own_set, "_write_at_once", lambda *at: write(*at[:2], is_released=False))
    monkeypatch.setattr(own_set, "_append", lambda *at: write(*at[:2], is_released=True))
    add(own, *"bcdef")
    now += 1.0
    add(own, "g")
    assert released == [False, False, True, True, True, False]
    assert drain(own) == [*"abcdefg"]
